"""Data sets: loaders, stratified splits, splits made of others, and training streams that can start at any position."""

from supernet.data.arrays import from_arrays
from supernet.data.augment import Augment
from supernet.data.cifar import cifar10, cifar100
from supernet.data.corruption import Corruption
from supernet.data.data import Data
from supernet.data.dataset import DatasetSplit
from supernet.data.derived.augmented import Augmented
from supernet.data.derived.chained import Chained
from supernet.data.derived.client_validation import ClientValidation
from supernet.data.derived.clients import Clients, classes_per_client, clients_of, dirichlet, iid, listed, shards
from supernet.data.derived.corrupted import Corrupted, CorruptedFiles
from supernet.data.derived.cutout import Cutout
from supernet.data.derived.easiest_classes import EasiestClasses
from supernet.data.derived.endless import Endless
from supernet.data.derived.joined import AllImages, Joined
from supernet.data.derived.mixed import Mixed, MixedSplit
from supernet.data.derived.noise import Noise
from supernet.data.derived.only_classes import FewerClasses, OnlyClasses
from supernet.data.derived.part import Part
from supernet.data.derived.random_labels import RandomLabelled, RandomLabels
from supernet.data.derived.repeated import Repeated, RepeatedSplit
from supernet.data.derived.unlabelled import Unlabelled
from supernet.data.derived.viewed import Viewed
from supernet.data.derived.views import Views
from supernet.data.derived.with_domains import WithDomains
from supernet.data.derived.with_target import WithTarget
from supernet.data.derived.wrong_labels import WrongLabels, WrongLabelSplit
from supernet.data.digit_domains import digit_domains
from supernet.data.domains import DomainSplit, domains_of, from_domains, with_domains
from supernet.data.folder import FolderAugment, FolderSplit
from supernet.data.folder_tree import image_folder
from supernet.data.image_data import ImageData
from supernet.data.imagenet16 import imagenet16_120
from supernet.data.indexed import Indexed
from supernet.data.loader import LoaderSplit
from supernet.data.memory import MemorySplit
from supernet.data.npz_file import npz
from supernet.data.own import as_data, from_datasets
from supernet.data.scenes import digit_scenes
from supernet.data.segmentation_folder import segmentation_folder
from supernet.data.small import digits, mnist5k
from supernet.data.sources import load
from supernet.data.split import Split
from supernet.data.tensors import TensorSplit
from supernet.data.text import causal_text, text_pairs
from supernet.data.verses import verses
from supernet.data.vocabulary import Vocabulary
from supernet.nn.batch import Batch

__all__ = [
    "AllImages",
    "Augment",
    "Augmented",
    "Batch",
    "Chained",
    "ClientValidation",
    "Clients",
    "Corrupted",
    "CorruptedFiles",
    "Corruption",
    "Cutout",
    "Data",
    "DatasetSplit",
    "DomainSplit",
    "EasiestClasses",
    "Endless",
    "FewerClasses",
    "FolderAugment",
    "FolderSplit",
    "ImageData",
    "Indexed",
    "Joined",
    "LoaderSplit",
    "MemorySplit",
    "Mixed",
    "MixedSplit",
    "Noise",
    "OnlyClasses",
    "Part",
    "RandomLabelled",
    "RandomLabels",
    "Repeated",
    "RepeatedSplit",
    "Split",
    "TensorSplit",
    "Unlabelled",
    "Viewed",
    "Views",
    "Vocabulary",
    "WithDomains",
    "WithTarget",
    "WrongLabelSplit",
    "WrongLabels",
    "as_data",
    "causal_text",
    "cifar10",
    "cifar100",
    "classes_per_client",
    "clients_of",
    "digit_domains",
    "digit_scenes",
    "digits",
    "dirichlet",
    "domains_of",
    "from_arrays",
    "from_datasets",
    "from_domains",
    "iid",
    "image_folder",
    "imagenet16_120",
    "listed",
    "load",
    "mnist5k",
    "npz",
    "segmentation_folder",
    "shards",
    "text_pairs",
    "verses",
    "with_domains",
]
