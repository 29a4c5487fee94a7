"""Data sets: loaders, stratified splits, and training streams that can start at any position."""

from supernet.data.arrays import from_arrays
from supernet.data.augment import Augment
from supernet.data.cifar import cifar10, cifar100
from supernet.data.folder import FolderAugment, FolderSplit
from supernet.data.folder_tree import image_folder
from supernet.data.image_data import ImageData
from supernet.data.memory import MemorySplit
from supernet.data.npz_file import npz
from supernet.data.small import digits, mnist5k
from supernet.data.sources import SOURCES, load
from supernet.data.split import Batch, Split

__all__ = [
    "SOURCES",
    "Augment",
    "Batch",
    "FolderAugment",
    "FolderSplit",
    "ImageData",
    "MemorySplit",
    "Split",
    "cifar10",
    "cifar100",
    "digits",
    "from_arrays",
    "image_folder",
    "load",
    "mnist5k",
    "npz",
]
