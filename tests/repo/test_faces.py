"""The public names: what each face of the package exports, and that a name means one thing."""

import ast
import importlib
import inspect
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import bpcjax as bpc

ROOT = Path(__file__).parents[2]
MODULES = (
    "bpcjax", "analysis", "connect", "cost", "data", "encode", "energies", "inputs", "jumps",
    "learning", "models", "networks", "neurons", "plot", "stepping", "sweep", "synapses",
)  # fmt: skip
# Whoever relies on a name finds it here: to take one out is to break users.
FACES = {
    "bpcjax": """
        AbstractJumps AbstractSameState AbstractSpikes AbstractSpikingSystem AbstractSystem
        AbstractView Arrhenius Bins Descent Energy EscapeRate Glauber GradientFlow GridSpikes
        JumpPath Langevin Layer Layers LayersState LocalSpikes Network NetworkState OrderedSpikes
        Parallel PoissonTrain Projection RESULTS Refractory Restart Solution SpikeDescent
        SpikeTrain Spikes SpikingTerm Surrogate SweepError Thinned analysis bind connect cost data
        descend descend_in_parallel encode energies jump_path learning models neurons parameter
        plot population simulate sweep synapses
    """,
    "analysis": """
        Basins Bifurcation Branch Correlogram Cycle Cycles EdgeState Ending EnergyPath EnergySlice
        Equilibria EscapeTimes Field FixedPoints Lyapunov NextSpike Orbit PhaseResponse Plane Ritz
        Saltation Special SpikeMap SpikeStatistics Stability WarningSigns basin_fractions classify
        cross_correlation edge_state energy_path energy_slice escape_times field find_cycle
        fixed_points follow hessian hessian_path hessian_spectrum jacobian kramers_rate lanczos
        lyapunov next_spike orbit phase_response plane principal_plane recovery_rate saltation
        spectrum spike_statistics stationary_covariance switch unique warning_signs
    """,
    "connect": """
        AbstractWeights Convolution Dense Lateral OneToOne Sparse
    """,
    "cost": """
        Counts FP16 FP32 INT8 LOIHI Ledger MEMORIES Memory OPERATIONS TECHNOLOGIES Technology
        attention_counts break_even classical hard_attention_counts linear_attention_counts loihi2
        sampled_attention_counts smallest_memory sparse_attention_counts spiking synapses_alone
    """,
    "data": """
        DataError Events Images Recordings cache_folder events load
    """,
    "encode": """
        Charging Linear Spikes cochlea current delta erb_centres first_spike gammatone latency
        poisson poisson_bins potential rate sigma_delta staircase trace
    """,
    "energies": """
        AbstractEnergy AbstractMemory Arrow BCPNN BayesianArrow BayesianPredictiveCoding
        Categorical ClassicalHopfield Constant ConvolutionMap CycleHopfield DelayHopfield
        DenseHopfield DenseMap Gammas Gaussian GradedHopfield MatrixNormal ModernHopfield Partial
        PhasorHopfield PredictiveCoding Rectified ResidualMap SequenceMemory SparseHopfield
        SynapticNormal ThresholdPhasor Wishart lagrangians
    """,
    "inputs": """
        AbstractInput AbstractTrain Bins Landing Late PoissonTrain SpikeTrain Step
    """,
    "jumps": """
        AbstractJumps Arrhenius Descent Glauber JumpPath Parallel SpikeDescent Thinned descend
        descend_in_parallel jump_path
    """,
    "learning": """
        AbstractBounds AbstractSTDP BayesianNeuron Belief BroadcastUse Certificate Dependency
        Dirichlet Eligible Elsewhere Free GammaPrecision Hard Incremental IncrementalState
        MessageUse Mixture Moment Neurons Normal NormalEvidence NormalGamma Observation Post Pre
        RewardSTDP Rewards STDPTraces Shared SlopeCurvature Soft SpikeTraces StepCertificate
        Synapse SynapticFilter SynapticState TraceSTDP Traces TriggeredSTDP Violation Weights
        Window Wiring append averages categorical certificate certify_step coins conjugate
        conjugate_precision delta_rule draw_synapses feedback_alignment gaussian growing_step hebb
        hebbian incremental kolen_pollack learn log_evidence momentum natural_gradient overwrite
        pair_sum precision_slope projection replay robbins_monro spike_em squared_products
        surrogate synaptic_filter
    """,
    "models": """
        AbstractCode AbstractLikelihood AbstractPhases AbstractReadout AtRest Backpropagation
        ChangePointFilter ChangePoints ClampedPhase Classified Classifier CurrentCode DeltaCode
        DiehlCook EventCode EventPath FirstSpikeReadout FlipLikelihood GaussianLikelihood Hold
        LIFMemory LatencyCode LinearMemory MembraneReadout NudgedPhases NudgedSpikes
        PoissonLikelihood Populations PredictiveCodingNetwork RandomFeatures RateCode RatePhases
        RateReadout RecallCertificate Retrieval Search SequentialMemory SequentialRecall
        SequentialState SequentialStore Shot SoftWinnerTakeAll Spent SpikingHopfield
        SpikingPredictiveCoding StreamRecall StudentLikelihood Synapses Thermal Tracked Tracking
        TwoLayerHopfield TwoLayerState VisibleSpikes WinnerTakeAll accelerate answers attention
        bandit_search bidirectional by_information by_variance certify elu_features event_path
        feedback_stiffness gram hard_attention linear_attention log_mean_latency
        partial_distance_search retrieve sample_first_spike scaled_evidence sequential_recall
        settle smallest_beta sparse_attention stream_recall surprise_bound unit_stiffness
    """,
    "networks": """
        EscapeRate Layer Layers LayersState Network NetworkState Projection Refractory
        RefractoryState synapses weights
    """,
    "neurons": """
        AdEx AdExState CubicRecovery Heaviside HodgkinHuxley HodgkinHuxleyState IF IFState
        Izhikevich Izhikevich2007 Izhikevich2007State IzhikevichState LIF LIFState LinearRecovery
        McCullochPitts McCullochPittsState Pattern Pulses Theta ThetaState adex_patterns
        izhikevich2007_cells izhikevich_classes
    """,
    "plot": """
        Trace basin_map bifurcation fi_curve firing gallery heat_map landscape lyapunov
        orbit_diagram phase_plane phase_response populations raster return_map spectrum surface
        traces
    """,
    "stepping": """
        AbstractSpikes GridSpikes LocalSpikes OrderedSpikes RESULTS SpikingTerm Surrogate arctan
        fast_sigmoid gaussian_shape triangle
    """,
    "sweep": """
        SweepError population sweep
    """,
    "synapses": """
        AbstractSynapse Alpha Delta DoubleExponential Exponential RisingState
    """,
}
# end of the names
# A picture bears the name of what it is a picture of.
PICTURES = {"lyapunov": "Lyapunov", "phase_response": "PhaseResponse", "spectrum": None}
# Old names, which stand for others: face, name, and the name now.
RENAMED = [
    ("energies", "Dense", "energies.DenseMap"),
    ("energies", "Convolution", "energies.ConvolutionMap"),
    ("models", "Certificate", "models.RecallCertificate"),
    ("models", "first_spike", "models.sample_first_spike"),
    ("learning", "stdp", "learning.spike_em"),
    ("learning", "pseudo_inverse", "learning.projection"),
    ("stepping", "gaussian", "stepping.gaussian_shape"),
    ("cost", "attention", "cost.attention_counts"),
    ("cost", "hard_attention", "cost.hard_attention_counts"),
    ("cost", "sparse_attention", "cost.sparse_attention_counts"),
    ("cost", "linear_attention", "cost.linear_attention_counts"),
    ("cost", "sampled_attention", "cost.sampled_attention_counts"),
    ("neurons", "BayesianNeuron", "learning.BayesianNeuron"),
    ("neurons", "Belief", "learning.Belief"),
]


def module_of(face: str):
    return bpc if face == "bpcjax" else importlib.import_module(f"bpcjax.{face}")


def face_of(face: str) -> set[str]:
    """What a face exports: `import NAME as NAME`, and what a module that is no face defines."""
    source = Path(module_of(face).__file__)
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.name for alias in node.names if alias.asname == alias.name}
    if not names:
        for node in ast.parse(source.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("face", MODULES)
def test_a_face_exports_the_names_it_promises(face):
    assert sorted(face_of(face)) == FACES[face].split()
    module = module_of(face)
    assert all(getattr(module, name) is not None for name in face_of(face))
    assert face_of(face) <= set(dir(module))


def test_a_name_has_one_meaning():
    meanings = defaultdict(dict)
    for face in MODULES[1:]:
        for name in face_of(face):
            meanings[name][face] = getattr(module_of(face), name)
    several = {
        name: faces for name, faces in meanings.items() if len(set(map(id, faces.values()))) > 1
    }
    assert {name: set(faces) for name, faces in several.items()} == {
        name: {"analysis", "plot"} for name in PICTURES
    }


@pytest.mark.parametrize("name", [name for name, result in PICTURES.items() if result])
def test_a_picture_shows_what_bears_its_name(name):
    first = next(iter(inspect.signature(getattr(bpc.plot, name)).parameters.values()))
    result = inspect.signature(getattr(bpc.analysis, name)).return_annotation
    assert first.annotation is result is getattr(bpc.analysis, PICTURES[name])


def test_old_names_warn_once_and_are_the_new_ones():
    lines = ["import importlib, warnings"]
    for face, name, now in RENAMED:
        lines += [
            "with warnings.catch_warnings(record=True) as caught:",
            "    warnings.simplefilter('always')",
            f"    old = importlib.import_module('bpcjax.{face}').{name}",
            f"    again = importlib.import_module('bpcjax.{face}').{name}",
            f"room, own = '{now}'.split('.')",
            "assert old is again is getattr(importlib.import_module('bpcjax.' + room), own)",
            f"messages = ['bpcjax.{face}.{name} is now bpcjax.{now}']",
            "assert [str(w.message) for w in caught] == messages",
            "assert caught[0].category is DeprecationWarning and caught[0].filename == '<string>'",
        ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, cwd=ROOT)


def test_a_name_that_never_was_is_an_error():
    for face in ("energies", "models", "learning", "stepping", "cost", "neurons"):
        with pytest.raises(AttributeError, match=f"module 'bpcjax.{face}' has no attribute 'nil'"):
            module_of(face).nil  # noqa: B018
