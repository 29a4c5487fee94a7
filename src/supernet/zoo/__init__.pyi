# Written by: python -m supernet.catalog --write
from supernet.zoo.attention.autoformer import autoformer as autoformer
from supernet.zoo.attention.autoformer import autoformer_arch as autoformer_arch
from supernet.zoo.attention.bert_like import bert_like as bert_like
from supernet.zoo.attention.hat import hat as hat
from supernet.zoo.attention.hat import hat_arch as hat_arch
from supernet.zoo.attention.hat import hat_config as hat_config
from supernet.zoo.attention.hytra import hytra as hytra
from supernet.zoo.attention.hytra import hytra_arch as hytra_arch
from supernet.zoo.attention.hytra_blocks import Entry as Entry
from supernet.zoo.attention.hytra_blocks import Style as Style
from supernet.zoo.attention.nasvit import nasvit as nasvit
from supernet.zoo.attention.nasvit import nasvit_arch as nasvit_arch
from supernet.zoo.attention.nasvit import nasvit_config as nasvit_config
from supernet.zoo.attention.vitas import vitas as vitas
from supernet.zoo.attention.vitas import vitas_arch as vitas_arch
from supernet.zoo.attention.vitas import vitas_flops as vitas_flops
from supernet.zoo.cells.darts import darts as darts
from supernet.zoo.cells.darts_cell import darts_cell as darts_cell
from supernet.zoo.cells.darts_genotype import darts_arch as darts_arch
from supernet.zoo.cells.darts_genotype import darts_genotype as darts_genotype
from supernet.zoo.cells.darts_published import darts_published as darts_published
from supernet.zoo.cells.enas_micro import enas_micro as enas_micro
from supernet.zoo.cells.enas_micro_final import enas_micro_final as enas_micro_final
from supernet.zoo.cells.enas_micro_sequence import enas_micro_arch as enas_micro_arch
from supernet.zoo.cells.enas_micro_sequence import enas_micro_sequence as enas_micro_sequence
from supernet.zoo.cells.nas_bench_201 import nasbench201 as nasbench201
from supernet.zoo.cells.nas_bench_201_index import nasbench201_arch as nasbench201_arch
from supernet.zoo.cells.nas_bench_201_index import nasbench201_codes as nasbench201_codes
from supernet.zoo.cells.nas_bench_201_index import nasbench201_from_row as nasbench201_from_row
from supernet.zoo.cells.nas_bench_201_index import nasbench201_row as nasbench201_row
from supernet.zoo.cells.nas_bench_201_index import nasbench201_string as nasbench201_string
from supernet.zoo.cells.robust_darts import robust_darts as robust_darts
from supernet.zoo.chains.cream import cream as cream
from supernet.zoo.chains.cream import cream_arch as cream_arch
from supernet.zoo.chains.cream_depths import cream_depths as cream_depths
from supernet.zoo.chains.dna import dna as dna
from supernet.zoo.chains.dna import dna_blocks as dna_blocks
from supernet.zoo.chains.donna import donna as donna
from supernet.zoo.chains.mobilenetv2 import mobilenetv2 as mobilenetv2
from supernet.zoo.chains.mobilenetv2 import mobilenetv2_arch as mobilenetv2_arch
from supernet.zoo.chains.mobilenetv2 import mobilenetv2_ids as mobilenetv2_ids
from supernet.zoo.chains.mobilenetv2_variants import Stages as Stages
from supernet.zoo.chains.nas_bench_macro import nasbench_macro as nasbench_macro
from supernet.zoo.chains.nas_bench_macro import nasbench_macro_arch as nasbench_macro_arch
from supernet.zoo.chains.nas_bench_macro import nasbench_macro_string as nasbench_macro_string
from supernet.zoo.chains.pi_nas import pi_nas as pi_nas
from supernet.zoo.chains.pi_nas import pi_nas_arch as pi_nas_arch
from supernet.zoo.chains.pi_nas import pi_nas_string as pi_nas_string
from supernet.zoo.chains.shufflenetv2_spos import shufflenetv2_spos as shufflenetv2_spos
from supernet.zoo.chains.shufflenetv2_spos import shufflenetv2_spos_arch as shufflenetv2_spos_arch
from supernet.zoo.chains.shufflenetv2_spos import shufflenetv2_spos_blocks as shufflenetv2_spos_blocks
from supernet.zoo.elastic.attentivenas import attentivenas as attentivenas
from supernet.zoo.elastic.attentivenas import attentivenas_arch as attentivenas_arch
from supernet.zoo.elastic.attentivenas import attentivenas_config as attentivenas_config
from supernet.zoo.elastic.bignas import bignas as bignas
from supernet.zoo.elastic.bignas import bignas_arch as bignas_arch
from supernet.zoo.elastic.bignas import bignas_config as bignas_config
from supernet.zoo.elastic.dynamic_resnet import dynamic_resnet as dynamic_resnet
from supernet.zoo.elastic.elastic_mbconv import mbconv as mbconv
from supernet.zoo.elastic.elastic_mbconv_stage import Stage as Stage
from supernet.zoo.elastic.fedsup import fedsup as fedsup
from supernet.zoo.elastic.nat_mobilenetv3 import nat_mobilenetv3 as nat_mobilenetv3
from supernet.zoo.elastic.ofa_mobilenetv3 import ofa_mobilenetv3 as ofa_mobilenetv3
from supernet.zoo.elastic.ofa_proxyless import ofa_proxyless as ofa_proxyless
from supernet.zoo.elastic.ofa_resnet50d import ofa_resnet50d as ofa_resnet50d
from supernet.zoo.macro.atomnas import atomnas as atomnas
from supernet.zoo.macro.atomnas_network import AtomBlocks as AtomBlocks
from supernet.zoo.macro.atomnas_published import atomnas_sizes as atomnas_sizes
from supernet.zoo.macro.densenas import densenas as densenas
from supernet.zoo.macro.densenas import densenas_arch as densenas_arch
from supernet.zoo.macro.densenas_network import DenseBlocks as DenseBlocks
from supernet.zoo.macro.enas import enas_macro as enas_macro
from supernet.zoo.macro.enas_macro_sequence import enas_macro_arch as enas_macro_arch
from supernet.zoo.macro.enas_macro_sequence import enas_macro_sequence as enas_macro_sequence
from supernet.zoo.macro.fbnetv5 import fbnetv5 as fbnetv5
from supernet.zoo.macro.hr_nas import hr_nas as hr_nas
from supernet.zoo.macro.hr_nas import hr_nas_sizes as hr_nas_sizes
from supernet.zoo.macro.hr_nas_unit import Units as Units
from supernet.zoo.macro.mixpath import mixpath as mixpath
from supernet.zoo.macro.mixpath_nasbench101 import mixpath_nasbench101 as mixpath_nasbench101
from supernet.zoo.macro.mixpath_nasbench101 import mixpath_nasbench101_spec as mixpath_nasbench101_spec
from supernet.zoo.macro.smash import smash as smash
from supernet.zoo.models.elastic_model import elastic_model as elastic_model
from supernet.zoo.recurrent.darts_rnn import darts_rnn as darts_rnn
from supernet.zoo.recurrent.darts_rnn_genotype import darts_rnn_arch as darts_rnn_arch
from supernet.zoo.recurrent.darts_rnn_genotype import darts_rnn_genotype as darts_rnn_genotype
from supernet.zoo.recurrent.enas_rnn import enas_rnn as enas_rnn
from supernet.zoo.recurrent.enas_rnn_sequence import enas_rnn_arch as enas_rnn_arch
from supernet.zoo.recurrent.enas_rnn_sequence import enas_rnn_sequence as enas_rnn_sequence

__all__ = [
    "atomnas",
    "attentivenas",
    "autoformer",
    "bert_like",
    "bignas",
    "cream",
    "darts",
    "darts_rnn",
    "densenas",
    "dna",
    "donna",
    "dynamic_resnet",
    "elastic_model",
    "enas_macro",
    "enas_micro",
    "enas_micro_final",
    "enas_rnn",
    "fbnetv5",
    "fedsup",
    "hat",
    "hr_nas",
    "hytra",
    "mbconv",
    "mixpath",
    "mixpath_nasbench101",
    "mobilenetv2",
    "nasbench201",
    "nasbench_macro",
    "nasvit",
    "nat_mobilenetv3",
    "ofa_mobilenetv3",
    "ofa_proxyless",
    "ofa_resnet50d",
    "pi_nas",
    "robust_darts",
    "shufflenetv2_spos",
    "smash",
    "vitas",
]
