# Written by: python -m supernet.catalog --write
from supernet.train.adapt.copies import Copies as Copies
from supernet.train.adapt.copies import CopyPerOption as CopyPerOption
from supernet.train.adapt.dictionary import Dictionary as Dictionary
from supernet.train.adapt.hyper_network import GenerateWeights as GenerateWeights
from supernet.train.adapt.share_features import ShareFeatures as ShareFeatures
from supernet.train.combines._protocol import Combine as Combine
from supernet.train.combines._protocol import JoinsGradients as JoinsGradients
from supernet.train.combines.match_weighted import ConstantMatch as ConstantMatch
from supernet.train.combines.match_weighted import CosineMatch as CosineMatch
from supernet.train.combines.match_weighted import Match as Match
from supernet.train.combines.match_weighted import MatchWeighted as MatchWeighted
from supernet.train.combines.mean import Mean as Mean
from supernet.train.combines.project_largest import ProjectLargest as ProjectLargest
from supernet.train.combines.sum import Sum as Sum
from supernet.train.context import Context as Context
from supernet.train.context import Edit as Edit
from supernet.train.context import Moves as Moves
from supernet.train.derivations._protocol import Derivation as Derivation
from supernet.train.derivations._protocol import DerivesByTask as DerivesByTask
from supernet.train.derivations.before_rise import BeforeRise as BeforeRise
from supernet.train.derivations.best_on_board import BestOnBoard as BestOnBoard
from supernet.train.derivations.decide_rest import DecideRest as DecideRest
from supernet.train.derivations.decided import Decided as Decided
from supernet.train.derivations.decided_per_client import DecidedPerClient as DecidedPerClient
from supernet.train.derivations.likeliest_per_task import LikeliestPerTask as LikeliestPerTask
from supernet.train.derivations.likeliest_route import LikeliestRoute as LikeliestRoute
from supernet.train.derivations.non_zero import NonZero as NonZero
from supernet.train.derivations.of_best_epoch import OfBestEpoch as OfBestEpoch
from supernet.train.derivations.perturb_best import PerturbBest as PerturbBest
from supernet.train.derivations.rated_best import RatedBest as RatedBest
from supernet.train.derivations.sample_and_rank import SampleAndRank as SampleAndRank
from supernet.train.derivations.skip_limited import SkipLimited as SkipLimited
from supernet.train.derivations.strongest import Strongest as Strongest
from supernet.train.edits.average_into import AverageInto as AverageInto
from supernet.train.edits.begin_cycle import BeginCycle as BeginCycle
from supernet.train.edits.curvature import Curvature as Curvature
from supernet.train.edits.curvature import CurvatureRise as CurvatureRise
from supernet.train.edits.cut_channels import CutChannels as CutChannels
from supernet.train.edits.decay_earlier_stages import DecayEarlierStages as DecayEarlierStages
from supernet.train.edits.decide_edge import DecideEdge as DecideEdge
from supernet.train.edits.drop_options import DropOptions as DropOptions
from supernet.train.edits.drop_weakest import DropWeakest as DropWeakest
from supernet.train.edits.follow_online import FollowOnline as FollowOnline
from supernet.train.edits.keep_shares import KeepShares as KeepShares
from supernet.train.edits.keep_strongest import KeepStrongest as KeepStrongest
from supernet.train.edits.keep_winners import KeepWinners as KeepWinners
from supernet.train.edits.largest_options import LargestOptions as LargestOptions
from supernet.train.edits.only import Only as Only
from supernet.train.edits.open_block import DecideBlock as DecideBlock
from supernet.train.edits.open_block import OpenBlock as OpenBlock
from supernet.train.edits.project_inputs import ProjectInputs as ProjectInputs
from supernet.train.edits.project_operations import ProjectOperations as ProjectOperations
from supernet.train.edits.rate_stage import RateStage as RateStage
from supernet.train.edits.rebuild_network import RebuildNetwork as RebuildNetwork
from supernet.train.edits.recover_codes import AbsorbCodes as AbsorbCodes
from supernet.train.edits.recover_codes import AllDecided as AllDecided
from supernet.train.edits.recover_codes import RecoverCodes as RecoverCodes
from supernet.train.edits.regularise_on_rise import DecayFromMemory as DecayFromMemory
from supernet.train.edits.regularise_on_rise import RegulariseOnRise as RegulariseOnRise
from supernet.train.edits.remember_derived import RememberDerived as RememberDerived
from supernet.train.edits.remember_probabilities import RememberProbabilities as RememberProbabilities
from supernet.train.edits.shrink import Shrink as Shrink
from supernet.train.edits.sort_channels import SortChannels as SortChannels
from supernet.train.edits.split_by_gradients import SplitByGradients as SplitByGradients
from supernet.train.edits.split_by_option import SplitByOption as SplitByOption
from supernet.train.edits.take_copy import TakeCopy as TakeCopy
from supernet.train.edits.widen_partial import WidenPartial as WidenPartial
from supernet.train.ends.either import Either as Either
from supernet.train.ends.no_improvement import NoImprovement as NoImprovement
from supernet.train.federation._protocol import Partition as Partition
from supernet.train.federation.dirichlet_clients import DirichletClients as DirichletClients
from supernet.train.federation.federated_average import FederatedAverage as FederatedAverage
from supernet.train.federation.iid_clients import IIDClients as IIDClients
from supernet.train.federation.listed_clients import ListedClients as ListedClients
from supernet.train.federation.local_work import LocalWork as LocalWork
from supernet.train.federation.rolling_window import RollingWindow as RollingWindow
from supernet.train.federation.server_sums import SumsOfClients as SumsOfClients
from supernet.train.federation.shard_clients import ShardClients as ShardClients
from supernet.train.fit import Trained as Trained
from supernet.train.fit import fit as fit
from supernet.train.forwards.cut_images import CutImages as CutImages
from supernet.train.forwards.engine_and_transit import EngineAndTransit as EngineAndTransit
from supernet.train.forwards.every_classifier import EveryClassifier as EveryClassifier
from supernet.train.forwards.on_generated import OnGenerated as OnGenerated
from supernet.train.forwards.on_generated import WithGenerated as WithGenerated
from supernet.train.forwards.own_net import OwnNet as OwnNet
from supernet.train.forwards.projected import Projected as Projected
from supernet.train.forwards.several import Several as Several
from supernet.train.forwards.slices import Slices as Slices
from supernet.train.forwards.stage import Stage as Stage
from supernet.train.forwards.through_classifier import ThroughClassifier as ThroughClassifier
from supernet.train.forwards.to_novel_domain import ToNovelDomain as ToNovelDomain
from supernet.train.gradients._protocol import GradientRule as GradientRule
from supernet.train.gradients.adversarial import Adversarial as Adversarial
from supernet.train.gradients.backpropagation import Backpropagation as Backpropagation
from supernet.train.gradients.look_ahead import LookAhead as LookAhead
from supernet.train.gradients.part_of_batch import PartOfBatch as PartOfBatch
from supernet.train.gradients.reinforce import Reinforce as Reinforce
from supernet.train.gradients.reinforce_per_task import ReinforcePerTask as ReinforcePerTask
from supernet.train.gradients.reptile import Reptile as Reptile
from supernet.train.gradients.unrolled import Unrolled as Unrolled
from supernet.train.loop import Logger as Logger
from supernet.train.loop import Monitor as Monitor
from supernet.train.monitors.gradient_conflict import GradientConflict as GradientConflict
from supernet.train.monitors.option_strengths import OptionStrengths as OptionStrengths
from supernet.train.monitors.strongest_options import StrongestOptions as StrongestOptions
from supernet.train.monitors.subnet_scores import SubnetScores as SubnetScores
from supernet.train.move import Move as Move
from supernet.train.move import Objective as Objective
from supernet.train.move import Outcome as Outcome
from supernet.train.move import Path as Path
from supernet.train.objectives.adaptive_divergence import AdaptiveDivergence as AdaptiveDivergence
from supernet.train.objectives.aligned import Aligned as Aligned
from supernet.train.objectives.beside_teachers import BesideTeachers as BesideTeachers
from supernet.train.objectives.chained_cost import ChainedCost as ChainedCost
from supernet.train.objectives.code_entropy import CodeEntropy as CodeEntropy
from supernet.train.objectives.consistency import Consistency as Consistency
from supernet.train.objectives.cross_entropy import CrossEntropy as CrossEntropy
from supernet.train.objectives.cycle import Cycle as Cycle
from supernet.train.objectives.dirichlet_anchor import DirichletAnchor as DirichletAnchor
from supernet.train.objectives.distillation import Distillation as Distillation
from supernet.train.objectives.domain_cross_entropy import DomainCrossEntropy as DomainCrossEntropy
from supernet.train.objectives.ensemble_prediction import EnsemblePrediction as EnsemblePrediction
from supernet.train.objectives.every_head import Disagreement as Disagreement
from supernet.train.objectives.every_head import EveryHead as EveryHead
from supernet.train.objectives.expected_cost import ExpectedCost as ExpectedCost
from supernet.train.objectives.feature_distance import FeatureDistance as FeatureDistance
from supernet.train.objectives.first_again import FirstAgain as FirstAgain
from supernet.train.objectives.first_apart import FirstApart as FirstApart
from supernet.train.objectives.from_teachers import FromTeachers as FromTeachers
from supernet.train.objectives.in_place_distillation import InPlaceDistillation as InPlaceDistillation
from supernet.train.objectives.info_nce import InfoNCE as InfoNCE
from supernet.train.objectives.kernel_discrepancy import KernelDiscrepancy as KernelDiscrepancy
from supernet.train.objectives.latent_prediction import LatentPrediction as LatentPrediction
from supernet.train.objectives.matched_distillation import MatchedDistillation as MatchedDistillation
from supernet.train.objectives.mutual_distillation import MutualDistillation as MutualDistillation
from supernet.train.objectives.near_reference import NearReference as NearReference
from supernet.train.objectives.plus_cost import PlusCost as PlusCost
from supernet.train.objectives.plus_discrepancy import PlusDiscrepancy as PlusDiscrepancy
from supernet.train.objectives.relations import Relations as Relations
from supernet.train.objectives.scale_cost import ScaleCost as ScaleCost
from supernet.train.objectives.seen_class import SeenClass as SeenClass
from supernet.train.objectives.slowness import Slowness as Slowness
from supernet.train.objectives.terms import Auxiliary as Auxiliary
from supernet.train.objectives.terms import Term as Term
from supernet.train.objectives.terms import Terms as Terms
from supernet.train.objectives.times_cost import TimesCost as TimesCost
from supernet.train.objectives.token_cross_entropy import TokenCrossEntropy as TokenCrossEntropy
from supernet.train.objectives.transport import Transport as Transport
from supernet.train.objectives.weighed_tasks import WeighedTasks as WeighedTasks
from supernet.train.optimisers._protocol import Optimiser as Optimiser
from supernet.train.optimisers.adam import Adam as Adam
from supernet.train.optimisers.hapg import HAPG as HAPG
from supernet.train.optimisers.lars import LARS as LARS
from supernet.train.optimisers.rmsprop import RMSprop as RMSprop
from supernet.train.optimisers.rmsprop_tf import RMSpropTF as RMSpropTF
from supernet.train.optimisers.sgd import SGD as SGD
from supernet.train.optimisers.torch_optimiser import TorchOptimiser as TorchOptimiser
from supernet.train.parametrisations.logits_around import LogitsAround as LogitsAround
from supernet.train.parametrisations.operation_weights import OperationWeights as OperationWeights
from supernet.train.parametrisations.operation_weights import WeightPerOperation as WeightPerOperation
from supernet.train.parametrisations.option_logits import LogitPerOption as LogitPerOption
from supernet.train.parametrisations.option_logits import OptionLogits as OptionLogits
from supernet.train.parametrisations.sparse_codes import SparseCodePerNode as SparseCodePerNode
from supernet.train.parametrisations.sparse_codes import SparseCodes as SparseCodes
from supernet.train.parametrisations.thresholded_logits import LogitsAndThresholds as LogitsAndThresholds
from supernet.train.parametrisations.thresholded_logits import ThresholdedLogits as ThresholdedLogits
from supernet.train.part import Part as Part
from supernet.train.part import Setting as Setting
from supernet.train.part import Slice as Slice
from supernet.train.parts.copy_of_net import CopyOfNet as CopyOfNet
from supernet.train.parts.copy_per_client import CopyPerClient as CopyPerClient
from supernet.train.parts.domain_generator import GeneratorOfDomains as GeneratorOfDomains
from supernet.train.parts.elastic_neck import ElasticNeckOfNet as ElasticNeckOfNet
from supernet.train.parts.elastic_neck import PredictorOfKeys as PredictorOfKeys
from supernet.train.parts.evaluation_net import EvaluationNet as EvaluationNet
from supernet.train.parts.further_classifiers import FurtherClassifiers as FurtherClassifiers
from supernet.train.parts.image_classifier import ClassifierOfImages as ClassifierOfImages
from supernet.train.parts.key_queue import QueueOfKeys as QueueOfKeys
from supernet.train.parts.matching_net import MatchesOutputs as MatchesOutputs
from supernet.train.parts.neck import NeckOfNet as NeckOfNet
from supernet.train.parts.path_board import BoardOfPaths as BoardOfPaths
from supernet.train.parts.projections import Projections as Projections
from supernet.train.parts.siamese_heads import ProjectionHeads as ProjectionHeads
from supernet.train.parts.stage_heads import HeadsOfStages as HeadsOfStages
from supernet.train.parts.tapped_teacher import TappedTeacher as TappedTeacher
from supernet.train.parts.teachers import Teachers as Teachers
from supernet.train.phases import Phase as Phase
from supernet.train.plans.block_after_block import BlockAfterBlock as BlockAfterBlock
from supernet.train.plans.decide_along import DecideAlong as DecideAlong
from supernet.train.plans.leaf_after_leaf import LeafAfterLeaf as LeafAfterLeaf
from supernet.train.plans.project_along import ProjectAlong as ProjectAlong
from supernet.train.plans.stage_after_stage import StageAfterStage as StageAfterStage
from supernet.train.policies._protocol import Likelihood as Likelihood
from supernet.train.policies._protocol import Policy as Policy
from supernet.train.policies._protocol import TellsOptions as TellsOptions
from supernet.train.policies.independent import IndependentChoices as IndependentChoices
from supernet.train.policies.independent import IndependentPolicy as IndependentPolicy
from supernet.train.policies.lstm_controller import Controller as Controller
from supernet.train.policies.lstm_controller import LSTMController as LSTMController
from supernet.train.policies.policy_per_task import PoliciesOfTasks as PoliciesOfTasks
from supernet.train.policies.policy_per_task import PolicyPerTask as PolicyPerTask
from supernet.train.pretexts._protocol import Pretext as Pretext
from supernet.train.pretexts.byol import BYOL as BYOL
from supernet.train.pretexts.moco import MoCo as MoCo
from supernet.train.pretexts.ressl import ReSSL as ReSSL
from supernet.train.programs._protocol import Program as Program
from supernet.train.programs.against_classifiers import AgainstClassifiers as AgainstClassifiers
from supernet.train.programs.against_generator import AgainstGenerator as AgainstGenerator
from supernet.train.programs.align_to_anchor import AlignToAnchor as AlignToAnchor
from supernet.train.programs.beside_generated import BesideGenerated as BesideGenerated
from supernet.train.programs.bilevel import Bilevel as Bilevel
from supernet.train.programs.bootstrap_stage import BootstrapStage as BootstrapStage
from supernet.train.programs.bootstrap_stage import ViewsOfStage as ViewsOfStage
from supernet.train.programs.cross_paths import CrossPaths as CrossPaths
from supernet.train.programs.cyclic import SearchAndEvaluate as SearchAndEvaluate
from supernet.train.programs.cyclic import WarmUpEvaluation as WarmUpEvaluation
from supernet.train.programs.epochs_in_turn import EpochsInTurn as EpochsInTurn
from supernet.train.programs.federated_rounds import FederatedRounds as FederatedRounds
from supernet.train.programs.in_turn import TrainInTurn as TrainInTurn
from supernet.train.programs.learn_from_board import LearnFromBoard as LearnFromBoard
from supernet.train.programs.paths_and_gates import PathsAndGates as PathsAndGates
from supernet.train.programs.pretrain import Pretrain as Pretrain
from supernet.train.programs.shrink_by_stages import ShrinkByStages as ShrinkByStages
from supernet.train.programs.single_level import SingleLevel as SingleLevel
from supernet.train.programs.tasks_in_one_draw import TasksInOneDraw as TasksInOneDraw
from supernet.train.programs.train_classifiers import TrainClassifiers as TrainClassifiers
from supernet.train.programs.train_part import TrainPart as TrainPart
from supernet.train.programs.train_paths import TrainPaths as TrainPaths
from supernet.train.programs.train_personal import TrainPersonal as TrainPersonal
from supernet.train.programs.train_stage import TrainStage as TrainStage
from supernet.train.programs.train_together import TrainTogether as TrainTogether
from supernet.train.programs.weights_and_policy import WeightsAndPolicy as WeightsAndPolicy
from supernet.train.programs.weights_then_codes import WeightsThenCodes as WeightsThenCodes
from supernet.train.programs.weights_then_policy import WeightsThenPolicy as WeightsThenPolicy
from supernet.train.ratings._protocol import Rating as Rating
from supernet.train.ratings.batch_loss import BatchLoss as BatchLoss
from supernet.train.ratings.fresh_batch import FreshBatch as FreshBatch
from supernet.train.ratings.inverse_perplexity import InversePerplexity as InversePerplexity
from supernet.train.ratings.learned import Learned as Learned
from supernet.train.ratings.predicted import Predicted as Predicted
from supernet.train.ratings.rewards_by_task import RewardsByTask as RewardsByTask
from supernet.train.ratings.scored import Scored as Scored
from supernet.train.ratings.validation import ValidationError as ValidationError
from supernet.train.ratings.validation import ValidationLoss as ValidationLoss
from supernet.train.recipe import Recipe as Recipe
from supernet.train.relaxations._protocol import Relaxation as Relaxation
from supernet.train.relaxations.binary_gates import BinaryGates as BinaryGates
from supernet.train.relaxations.dirichlet import Dirichlet as Dirichlet
from supernet.train.relaxations.group_softmax import GroupSoftmax as GroupSoftmax
from supernet.train.relaxations.gumbel_one_hot import GumbelOneHot as GumbelOneHot
from supernet.train.relaxations.gumbel_softmax import GumbelSoftmax as GumbelSoftmax
from supernet.train.relaxations.operations_and_inputs import OperationsAndInputs as OperationsAndInputs
from supernet.train.relaxations.perturbed import Perturbed as Perturbed
from supernet.train.relaxations.routes_and_operations import RoutesAndOperations as RoutesAndOperations
from supernet.train.relaxations.sampled_softmax import SampledSoftmax as SampledSoftmax
from supernet.train.relaxations.softmax import Softmax as Softmax
from supernet.train.rewriting import Rewriter as Rewriter
from supernet.train.samplers._protocol import Sampler as Sampler
from supernet.train.samplers.agreeing import Agreeing as Agreeing
from supernet.train.samplers.best_of import BestOf as BestOf
from supernet.train.samplers.budget import Budget as Budget
from supernet.train.samplers.by_client import ByClient as ByClient
from supernet.train.samplers.candidate_pool import load_candidates as load_candidates
from supernet.train.samplers.cost_bins import CostBins as CostBins
from supernet.train.samplers.cost_share import CostShare as CostShare
from supernet.train.samplers.depth_for_cost import DepthForCost as DepthForCost
from supernet.train.samplers.disjoint import Disjoint as Disjoint
from supernet.train.samplers.distinct import Distinct as Distinct
from supernet.train.samplers.equal_cost import EqualCost as EqualCost
from supernet.train.samplers.extreme import Extreme as Extreme
from supernet.train.samplers.fixed import Fixed as Fixed
from supernet.train.samplers.from_frequencies import FromFrequencies as FromFrequencies
from supernet.train.samplers.from_logits import FromLogits as FromLogits
from supernet.train.samplers.greedy import Greedy as Greedy
from supernet.train.samplers.hamming_walk import HammingWalk as HammingWalk
from supernet.train.samplers.one_group import OneGroup as OneGroup
from supernet.train.samplers.path_dropout import PathDropout as PathDropout
from supernet.train.samplers.paths_of_stage import PathsOfStage as PathsOfStage
from supernet.train.samplers.per_visit import PerVisit as PerVisit
from supernet.train.samplers.sandwich import Sandwich as Sandwich
from supernet.train.samplers.sharing_pair import SharingPair as SharingPair
from supernet.train.samplers.strict_fair import StrictFair as StrictFair
from supernet.train.samplers.uniform import Uniform as Uniform
from supernet.train.samplers.uniform_sizes import UniformSizes as UniformSizes
from supernet.train.samplers.weighted import Weighted as Weighted
from supernet.train.samplers.width_ratio import WidthRatio as WidthRatio
from supernet.train.samplers.within import Within as Within
from supernet.train.schedules._protocol import LearningRate as LearningRate
from supernet.train.schedules.complexity_aware import ComplexityAwareLR as ComplexityAwareLR
from supernet.train.schedules.constant import Constant as Constant
from supernet.train.schedules.cosine import Cosine as Cosine
from supernet.train.schedules.exponential import Exponential as Exponential
from supernet.train.schedules.inverse_square_root import InverseSquareRoot as InverseSquareRoot
from supernet.train.schedules.linear import Linear as Linear
from supernet.train.schedules.milestones import Milestones as Milestones
from supernet.train.schedules.on_loss import OnLoss as OnLoss
from supernet.train.schedules.one_cycle import OneCycle as OneCycle
from supernet.train.schedules.per_round import PerRound as PerRound
from supernet.train.schedules.scaled import Scaled as Scaled
from supernet.train.schedules.step_decay import StepDecay as StepDecay
from supernet.train.schedules.warm_restarts import WarmRestarts as WarmRestarts
from supernet.train.schedules.warmup import Warmup as Warmup
from supernet.train.schedules.warmup_then import WarmupThen as WarmupThen
from supernet.train.scores._protocol import Score as Score
from supernet.train.scores._protocol import Subnet as Subnet
from supernet.train.scores.angle import Angle as Angle
from supernet.train.scores.embedding_distance import EmbeddingDistance as EmbeddingDistance
from supernet.train.scores.rated_stages import RatedStages as RatedStages
from supernet.train.scores.stage_loss import StageLoss as StageLoss
from supernet.train.state import load_parts as load_parts
from supernet.train.state import load_weights as load_weights
from supernet.train.states._protocol import StateGroups as StateGroups
from supernet.train.states.momentum_separation import MomentumSeparation as MomentumSeparation
from supernet.train.states.per_client import PerClient as PerClient
from supernet.train.step import Step as Step
from supernet.train.updates import Updates as Updates
from supernet.train.updates import adam as adam
from supernet.train.updates import rmsprop as rmsprop
from supernet.train.updates import sgd as sgd
from supernet.train.values._protocol import Value as Value
from supernet.train.values.dropout_decay import DropoutDecay as DropoutDecay
from supernet.train.values.jump import Jump as Jump
from supernet.train.values.of_part import OfPart as OfPart
from supernet.train.values.per_epoch import PerEpoch as PerEpoch
from supernet.train.values.ramp import Ramp as Ramp
from supernet.train.values.rise import Rise as Rise

__all__ = [
    "BYOL",
    "HAPG",
    "LARS",
    "SGD",
    "AbsorbCodes",
    "Adam",
    "AdaptiveDivergence",
    "Adversarial",
    "AgainstClassifiers",
    "AgainstGenerator",
    "Agreeing",
    "AlignToAnchor",
    "Aligned",
    "AllDecided",
    "Angle",
    "Auxiliary",
    "AverageInto",
    "Backpropagation",
    "BatchLoss",
    "BeforeRise",
    "BeginCycle",
    "BesideGenerated",
    "BesideTeachers",
    "BestOf",
    "BestOnBoard",
    "Bilevel",
    "BinaryGates",
    "BlockAfterBlock",
    "BoardOfPaths",
    "BootstrapStage",
    "Budget",
    "ByClient",
    "ChainedCost",
    "ClassifierOfImages",
    "CodeEntropy",
    "Combine",
    "ComplexityAwareLR",
    "Consistency",
    "Constant",
    "ConstantMatch",
    "Context",
    "Controller",
    "Copies",
    "CopyOfNet",
    "CopyPerClient",
    "CopyPerOption",
    "Cosine",
    "CosineMatch",
    "CostBins",
    "CostShare",
    "CrossEntropy",
    "CrossPaths",
    "Curvature",
    "CurvatureRise",
    "CutChannels",
    "CutImages",
    "Cycle",
    "DecayEarlierStages",
    "DecayFromMemory",
    "DecideAlong",
    "DecideBlock",
    "DecideEdge",
    "DecideRest",
    "Decided",
    "DecidedPerClient",
    "DepthForCost",
    "Derivation",
    "DerivesByTask",
    "Dictionary",
    "Dirichlet",
    "DirichletAnchor",
    "DirichletClients",
    "Disagreement",
    "Disjoint",
    "Distillation",
    "Distinct",
    "DomainCrossEntropy",
    "DropOptions",
    "DropWeakest",
    "DropoutDecay",
    "Edit",
    "Either",
    "ElasticNeckOfNet",
    "EmbeddingDistance",
    "EngineAndTransit",
    "EnsemblePrediction",
    "EpochsInTurn",
    "EqualCost",
    "EvaluationNet",
    "EveryClassifier",
    "EveryHead",
    "ExpectedCost",
    "Exponential",
    "Extreme",
    "FeatureDistance",
    "FederatedAverage",
    "FederatedRounds",
    "FirstAgain",
    "FirstApart",
    "Fixed",
    "FollowOnline",
    "FreshBatch",
    "FromFrequencies",
    "FromLogits",
    "FromTeachers",
    "FurtherClassifiers",
    "GenerateWeights",
    "GeneratorOfDomains",
    "GradientConflict",
    "GradientRule",
    "Greedy",
    "GroupSoftmax",
    "GumbelOneHot",
    "GumbelSoftmax",
    "HammingWalk",
    "HeadsOfStages",
    "IIDClients",
    "InPlaceDistillation",
    "IndependentChoices",
    "IndependentPolicy",
    "InfoNCE",
    "InversePerplexity",
    "InverseSquareRoot",
    "JoinsGradients",
    "Jump",
    "KeepShares",
    "KeepStrongest",
    "KeepWinners",
    "KernelDiscrepancy",
    "LSTMController",
    "LargestOptions",
    "LatentPrediction",
    "LeafAfterLeaf",
    "LearnFromBoard",
    "Learned",
    "LearningRate",
    "LikeliestPerTask",
    "LikeliestRoute",
    "Likelihood",
    "Linear",
    "ListedClients",
    "LocalWork",
    "Logger",
    "LogitPerOption",
    "LogitsAndThresholds",
    "LogitsAround",
    "LookAhead",
    "Match",
    "MatchWeighted",
    "MatchedDistillation",
    "MatchesOutputs",
    "Mean",
    "Milestones",
    "MoCo",
    "MomentumSeparation",
    "Monitor",
    "Move",
    "Moves",
    "MutualDistillation",
    "NearReference",
    "NeckOfNet",
    "NoImprovement",
    "NonZero",
    "Objective",
    "OfBestEpoch",
    "OfPart",
    "OnGenerated",
    "OnLoss",
    "OneCycle",
    "OneGroup",
    "Only",
    "OpenBlock",
    "OperationWeights",
    "OperationsAndInputs",
    "Optimiser",
    "OptionLogits",
    "OptionStrengths",
    "Outcome",
    "OwnNet",
    "Part",
    "PartOfBatch",
    "Partition",
    "Path",
    "PathDropout",
    "PathsAndGates",
    "PathsOfStage",
    "PerClient",
    "PerEpoch",
    "PerRound",
    "PerVisit",
    "PerturbBest",
    "Perturbed",
    "Phase",
    "PlusCost",
    "PlusDiscrepancy",
    "PoliciesOfTasks",
    "Policy",
    "PolicyPerTask",
    "Predicted",
    "PredictorOfKeys",
    "Pretext",
    "Pretrain",
    "Program",
    "ProjectAlong",
    "ProjectInputs",
    "ProjectLargest",
    "ProjectOperations",
    "Projected",
    "ProjectionHeads",
    "Projections",
    "QueueOfKeys",
    "RMSprop",
    "RMSpropTF",
    "Ramp",
    "RateStage",
    "RatedBest",
    "RatedStages",
    "Rating",
    "ReSSL",
    "RebuildNetwork",
    "Recipe",
    "RecoverCodes",
    "RegulariseOnRise",
    "Reinforce",
    "ReinforcePerTask",
    "Relations",
    "Relaxation",
    "RememberDerived",
    "RememberProbabilities",
    "Reptile",
    "RewardsByTask",
    "Rewriter",
    "Rise",
    "RollingWindow",
    "RoutesAndOperations",
    "SampleAndRank",
    "SampledSoftmax",
    "Sampler",
    "Sandwich",
    "ScaleCost",
    "Scaled",
    "Score",
    "Scored",
    "SearchAndEvaluate",
    "SeenClass",
    "Setting",
    "Several",
    "ShardClients",
    "ShareFeatures",
    "SharingPair",
    "Shrink",
    "ShrinkByStages",
    "SingleLevel",
    "SkipLimited",
    "Slice",
    "Slices",
    "Slowness",
    "Softmax",
    "SortChannels",
    "SparseCodePerNode",
    "SparseCodes",
    "SplitByGradients",
    "SplitByOption",
    "Stage",
    "StageAfterStage",
    "StageLoss",
    "StateGroups",
    "Step",
    "StepDecay",
    "StrictFair",
    "Strongest",
    "StrongestOptions",
    "Subnet",
    "SubnetScores",
    "Sum",
    "SumsOfClients",
    "TakeCopy",
    "TappedTeacher",
    "TasksInOneDraw",
    "Teachers",
    "TellsOptions",
    "Term",
    "Terms",
    "ThresholdedLogits",
    "ThroughClassifier",
    "TimesCost",
    "ToNovelDomain",
    "TokenCrossEntropy",
    "TorchOptimiser",
    "TrainClassifiers",
    "TrainInTurn",
    "TrainPart",
    "TrainPaths",
    "TrainPersonal",
    "TrainStage",
    "TrainTogether",
    "Trained",
    "Transport",
    "Uniform",
    "UniformSizes",
    "Unrolled",
    "Updates",
    "ValidationError",
    "ValidationLoss",
    "Value",
    "ViewsOfStage",
    "WarmRestarts",
    "WarmUpEvaluation",
    "Warmup",
    "WarmupThen",
    "WeighedTasks",
    "WeightPerOperation",
    "Weighted",
    "WeightsAndPolicy",
    "WeightsThenCodes",
    "WeightsThenPolicy",
    "WidenPartial",
    "WidthRatio",
    "WithGenerated",
    "Within",
    "adam",
    "fit",
    "load_candidates",
    "load_parts",
    "load_weights",
    "rmsprop",
    "sgd",
]
