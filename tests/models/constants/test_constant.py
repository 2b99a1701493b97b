"""What is reported of a constant goes through JSON unchanged."""

import json

from models.constants.constant import Constant, Profile, not_identifiable


def test_a_constant_goes_through_json():
    profile = Profile(("channels", "interleave, B"), ((6.0, 256.0), (12.0, 128.0)), (-3.5, 0.25), (True, False))
    status = not_identifiable("too few pitches")
    constant = Constant(6.0, (6.0, 12.0), status, "B", "set", profile, "a note", "long rows", ((1, 2, 3),))
    again = Constant.from_contract(json.loads(json.dumps(constant.to_contract())))
    assert again == constant
    assert not again.identified
    assert again.status == "not identifiable on this grid: too few pitches"
    assert hash(again) == hash(constant)


def test_the_contract_names_estimate_set_and_status():
    entry = Constant(20.0, (20.0,), "identified", "cores").to_contract()
    assert (entry["estimate"], entry["set"], entry["status"], entry["unit"]) == (
        20.0,
        [20.0],
        "identified",
        "cores",
    )
