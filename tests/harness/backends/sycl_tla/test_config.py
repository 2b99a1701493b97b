"""Which registered benchmark is which tile, and the lines that ask for it."""

import pytest

from harness.backends import Cell
from harness.backends.sycl_tla.config import STOCK, choose, config_line, parse_configs, refusal, reported_name
from harness.errors import BackendError
from harness.tile import Tile

BIG = Tile.of(256, 256, 32)


def test_the_stock_benchmarks():
    assert {(config.program, str(config.tile), config.name) for config in STOCK} == {
        ("executable", "512x256x32", "BmgGemmBF16BF16FP32_RRR_TileShape_512_256_32"),
        ("legacy", "256x256x32", "PvcGemmBF16BF16FP32_RRR_1"),
        ("legacy", "128x512x32", "PvcGemmBF16BF16FP32_RRR_2"),
        ("legacy", "256x128x32", "PvcGemmBF16BF16FP32_RRR_3"),
        ("legacy", "128x256x16", "PvcGemmBF16BF16FP32_RRR_4"),
        ("legacy", "8x128x32", "PvcGemmBF16BF16FP32_RRR_5"),
    }
    assert not any(refusal(config.name) for config in STOCK)


def test_a_line_and_the_name_it_is_reported_under():
    cell = Cell(BIG, 1024, 512, 96)
    assert config_line(STOCK[1], "cell7", cell) == (
        "PvcGemmBF16BF16FP32_RRR_1 --bm_name=cell7 --m=1024 --n=512 --k=96 --l=1 --alpha=1 --beta=0"
    )
    assert reported_name(STOCK[1], "cell7", cell) == "PvcGemmBF16BF16FP32_RRR_1/cell7/1024x512x96x1/manual_time"


def test_pairs():
    first, second = parse_configs("A_RRR=256x256x32, legacy:B_RRR=64x64x32,")
    assert (first.name, first.tile, first.program) == ("A_RRR", BIG, "executable")
    assert (second.name, str(second.tile), second.program) == ("B_RRR", "64x64x32", "legacy")


def test_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[executable]\nA = "256x256x32"\n[legacy]\nB = "64x64x32"\n')
    assert [(config.name, config.program) for config in parse_configs(str(path))] == [
        ("A", "executable"),
        ("B", "legacy"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PvcGemmBF16BF16FP32_SplitK_RRR_1=256x256x32", "refused: its timed loop runs the default scheduler"),
        ("PvcGemmBF16BF16FP32_StreamK_RRR_1=256x256x32", "03_bmg_gemm_streamk"),
        ("PvcGemmBF16BF16FP32_RCR_5=8x128x32", "not both row-major"),
        ("PvcGemmFP16FP16FP32_RRR_5=8x128x32", "not both BF16"),
        ("PvcMixedPrecisionGemmBF16S8=8x128x32", "not both BF16"),
        ("A=256x256", "A: tile '256x256'"),
        ("A=vendor", "has a tile"),
        ("A", "neither NAME=MxNxK"),
        ("cuda:A=1x1x1", "program 'cuda' of A is unknown: expected executable or legacy"),
        ("A B=8x16x16", "no C\\+\\+ identifier"),
        ("missing.toml", "cannot be read as TOML"),
    ],
)
def test_what_is_refused_and_why(text, message):
    with pytest.raises(BackendError, match=message):
        parse_configs(text)


@pytest.mark.parametrize("text", ['A = "256x256x32"', "[executable\n", "[executable]\nA = 3"])
def test_a_bad_file(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(BackendError, match="configs: "):
        parse_configs(str(path))


def test_the_users_own_come_first_and_then_the_new_program():
    own = parse_configs("Own=256x256x32")
    both = choose(own, ("executable", "legacy"))
    assert both[BIG].name == "Own"
    assert next(iter(both)) == Tile.of(512, 256, 32)
    assert choose((), ("executable", "legacy"))[BIG].name == "PvcGemmBF16BF16FP32_RRR_1"
    assert list(choose((), ("executable",))) == [Tile.of(512, 256, 32)]
