from ledger.money import split, with_vat


def test_a_split_in_equal_parts():
    assert split(900, 3) == [300, 300, 300]


def test_a_split_loses_no_cent():
    assert sum(split(1000, 3)) == 1000


def test_vat_is_rounded_to_the_cent():
    assert with_vat(1005) == 1196
