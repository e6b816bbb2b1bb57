"""The reviews: every key that is cited is in the bibliography, and every entry is cited."""

import re
from pathlib import Path

import pytest

REVIEWS = Path(__file__).parents[2] / "theory" / "reviews"
TEXTS = sorted(REVIEWS.glob("*.md"))
CITED = re.compile(r"@([a-z]+\d{4}[a-z]*)")
PLACE = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}  # by kind


def entries():
    """Key -> fields of every entry; braces balance by the format of the file, one field a line."""
    text = (REVIEWS / "references.bib").read_text()
    result = {}
    for kind, key, body in re.findall(r"@(\w+)\{(\w+),\n(.*?)\n\}", text, flags=re.DOTALL):
        assert key not in result, f"{key} is there twice"
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", body, flags=re.MULTILINE))
        assert len(fields) == body.count("\n") + 1, f"{key}: a line is no field"
        result[key] = fields | {"kind": kind}
    assert len(result) == len(re.findall(r"^@", text, flags=re.MULTILINE))
    return result


def test_citations_and_entries_agree():
    cited = {key for path in TEXTS for key in CITED.findall(path.read_text())}
    assert cited == set(entries())


@pytest.mark.parametrize(
    "key, fields", entries().items(), ids=lambda x: x if isinstance(x, str) else ""
)
def test_entries_are_whole(key, fields):
    assert {"author", "title", "year"} <= set(fields)
    assert set(fields) & set(PLACE.values()) == {PLACE[fields["kind"]]}
    surname = fields["author"].split(",")[0].split("-")[0]
    ascii_only = re.sub(r"[^a-z]", "", re.sub(r"\\.|[{}]", "", surname).lower())
    assert key.startswith(ascii_only[:4]) and fields["year"] in key
    for value in fields.values():
        assert value.count("{") == value.count("}")
    if "eprint" in fields:
        # Numbered by month; a paper is not published before it is submitted.
        year, month = fields["eprint"][:2], fields["eprint"][2:4]
        assert re.fullmatch(r"\d{4}\.\d{4,5}", fields["eprint"]) and 1 <= int(month) <= 12
        assert 0 <= int(fields["year"]) - (2000 + int(year)) <= 2
    if fields.get("journal") == "arXiv":
        assert "eprint" in fields


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_paragraph_on_the_literature_has_a_reference(path):
    body = re.split(r"^## (?:10|11)\.", path.read_text(), flags=re.MULTILINE)[0]
    for section in re.split(r"^## ", body, flags=re.MULTILINE)[1:]:
        assert CITED.search(section), section[:60]
