# Written by: python -m supernet.catalog --write
from supernet.methods.blockwise.bossnas import bossnas as bossnas
from supernet.methods.blockwise.dna import dna as dna
from supernet.methods.blockwise.donna import donna as donna
from supernet.methods.cells.cdarts import cdarts as cdarts
from supernet.methods.cells.darts import darts as darts
from supernet.methods.cells.darts_minus import darts_minus as darts_minus
from supernet.methods.cells.darts_pt import darts_pt as darts_pt
from supernet.methods.cells.dots import dots as dots
from supernet.methods.cells.drnas import drnas as drnas
from supernet.methods.cells.enas import enas as enas
from supernet.methods.cells.entrannas import entrannas as entrannas
from supernet.methods.cells.gdas import gdas as gdas
from supernet.methods.cells.ista_nas import ista_nas as ista_nas
from supernet.methods.cells.nas_ood import nas_ood as nas_ood
from supernet.methods.cells.nasda import nasda as nasda
from supernet.methods.cells.p_darts import p_darts as p_darts
from supernet.methods.cells.pc_darts import pc_darts as pc_darts
from supernet.methods.cells.r_darts import r_darts as r_darts
from supernet.methods.cells.sdarts import sdarts as sdarts
from supernet.methods.cells.sgas import sgas as sgas
from supernet.methods.cells.snas import snas as snas
from supernet.methods.cells.sparsenas import sparsenas as sparsenas
from supernet.methods.cells.spider import spider as spider
from supernet.methods.elastic.alphanet import alphanet as alphanet
from supernet.methods.elastic.attentivenas import attentivenas as attentivenas
from supernet.methods.elastic.autoformer import autoformer as autoformer
from supernet.methods.elastic.bignas import bignas as bignas
from supernet.methods.elastic.data_ssl import data_ssl as data_ssl
from supernet.methods.elastic.fedsup import fedsup as fedsup
from supernet.methods.elastic.hat import hat as hat
from supernet.methods.elastic.heterofl import heterofl as heterofl
from supernet.methods.elastic.nasvit import nasvit as nasvit
from supernet.methods.elastic.nat import nat as nat
from supernet.methods.elastic.ofa import ofa as ofa
from supernet.methods.elastic.sandwich import sandwich as sandwich
from supernet.methods.elastic.vitas import vitas as vitas
from supernet.methods.final.darts_cifar import darts_cifar as darts_cifar
from supernet.methods.final.darts_imagenet import darts_imagenet as darts_imagenet
from supernet.methods.final.enas_final import enas_final as enas_final
from supernet.methods.final.mcd import mcd as mcd
from supernet.methods.macro.atomnas import atomnas as atomnas
from supernet.methods.macro.da_nas import da_nas as da_nas
from supernet.methods.macro.densenas import densenas as densenas
from supernet.methods.macro.fbnetv5 import fbnetv5 as fbnetv5
from supernet.methods.macro.fpnas import fpnas as fpnas
from supernet.methods.macro.hr_nas import hr_nas as hr_nas
from supernet.methods.macro.mixpath import mixpath as mixpath
from supernet.methods.macro.proxyless import proxyless as proxyless
from supernet.methods.nshot.few_shot import few_shot as few_shot
from supernet.methods.nshot.gm_nas import gm_nas as gm_nas
from supernet.methods.nshot.k_shot import k_shot as k_shot
from supernet.methods.nshot.smash import smash as smash
from supernet.methods.single_path.angle_shrinking import angle_shrinking as angle_shrinking
from supernet.methods.single_path.cream import cream as cream
from supernet.methods.single_path.dc_nas import dc_nas as dc_nas
from supernet.methods.single_path.dynas import dynas as dynas
from supernet.methods.single_path.fairnas import fairnas as fairnas
from supernet.methods.single_path.greedynas import greedynas as greedynas
from supernet.methods.single_path.magic_a import magic_a as magic_a
from supernet.methods.single_path.magic_at import magic_at as magic_at
from supernet.methods.single_path.magic_t import magic_t as magic_t
from supernet.methods.single_path.one_shot import one_shot as one_shot
from supernet.methods.single_path.pad_nas import pad_nas as pad_nas
from supernet.methods.single_path.pi_nas import pi_nas as pi_nas
from supernet.methods.single_path.rlnas import rlnas as rlnas
from supernet.methods.single_path.spos import spos as spos
from supernet.methods.single_path.sum_nas import sum_nas as sum_nas
from supernet.methods.teachers.distilled import distilled as distilled
from supernet.methods.teachers.mean_teacher import mean_teacher as mean_teacher

__all__ = [
    "alphanet",
    "angle_shrinking",
    "atomnas",
    "attentivenas",
    "autoformer",
    "bignas",
    "bossnas",
    "cdarts",
    "cream",
    "da_nas",
    "darts",
    "darts_cifar",
    "darts_imagenet",
    "darts_minus",
    "darts_pt",
    "data_ssl",
    "dc_nas",
    "densenas",
    "distilled",
    "dna",
    "donna",
    "dots",
    "drnas",
    "dynas",
    "enas",
    "enas_final",
    "entrannas",
    "fairnas",
    "fbnetv5",
    "fedsup",
    "few_shot",
    "fpnas",
    "gdas",
    "gm_nas",
    "greedynas",
    "hat",
    "heterofl",
    "hr_nas",
    "ista_nas",
    "k_shot",
    "magic_a",
    "magic_at",
    "magic_t",
    "mcd",
    "mean_teacher",
    "mixpath",
    "nas_ood",
    "nasda",
    "nasvit",
    "nat",
    "ofa",
    "one_shot",
    "p_darts",
    "pad_nas",
    "pc_darts",
    "pi_nas",
    "proxyless",
    "r_darts",
    "rlnas",
    "sandwich",
    "sdarts",
    "sgas",
    "smash",
    "snas",
    "sparsenas",
    "spider",
    "spos",
    "sum_nas",
    "vitas",
]
