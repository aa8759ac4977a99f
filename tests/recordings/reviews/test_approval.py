"""The standing of a recording: which verdicts count, and what each policy makes of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recordings.reviews.approval import ApprovalState, Standing, Verdict, standing
from recordings.reviews.protocol import POLICIES, Policy, ReviewProtocol, Role

NOW, BEFORE = "a" * 64, "b" * 64
SAYS: dict[str, Verdict] = {"a": "approve", "r": "reject", "n": "needs_work"}


@dataclass(frozen=True)
class Said:
    """A review's part that decides."""

    reviewer: str
    verdict: Verdict | None
    role: Role | None = "reviewer"
    time: float = 0.0
    sha256: str = NOW


def said(verdicts: str, **changes: str) -> list[Said]:
    """One verdict by each of several reviewers: "ar" is an approval and a rejection."""
    return [Said(f"r{n}", SAYS[one], time=float(n)) for n, one in enumerate(verdicts)]


def state(reviews: list[Said], policy: Policy = "undisputed", reviewers: int = 1) -> ApprovalState:
    return standing(reviews, NOW, ReviewProtocol(policy, reviewers)).state


@pytest.mark.parametrize(
    ("verdicts", "undisputed", "any_", "all_", "majority", "adjudicated"),
    [
        ("", "unreviewed", "unreviewed", "unreviewed", "unreviewed", "unreviewed"),
        ("a", "approved", "approved", "approved", "approved", "in_review"),
        ("r", "rejected", "rejected", "rejected", "rejected", "in_review"),
        ("n", "needs_work", "needs_work", "needs_work", "needs_work", "in_review"),
        ("aa", "approved", "approved", "approved", "approved", "approved"),
        ("rr", "rejected", "rejected", "rejected", "rejected", "rejected"),
        ("ar", "disputed", "approved", "rejected", "rejected", "disputed"),
        ("aar", "disputed", "approved", "rejected", "approved", "disputed"),
        ("na", "approved", "approved", "needs_work", "needs_work", "disputed"),
        ("rn", "rejected", "rejected", "rejected", "rejected", "disputed"),
        ("rnn", "needs_work", "needs_work", "needs_work", "needs_work", "disputed"),
    ],
)
def test_each_policy_makes_its_own_of_the_same_verdicts(
    verdicts: str, undisputed: str, any_: str, all_: str, majority: str, adjudicated: str
) -> None:
    reviews = said(verdicts)
    found = {policy: state(reviews, policy) for policy in POLICIES}
    assert found == {
        "undisputed": undisputed,
        "any": any_,
        "all": all_,
        "majority": majority,
        "adjudicated": adjudicated,
    }


@pytest.mark.parametrize("policy", ["undisputed", "any", "all", "majority"])
def test_fewer_reviewers_than_wanted_are_no_approval(policy: Policy) -> None:
    assert state(said("a"), policy, 2) == "in_review"
    assert state(said("aa"), policy, 2) == "approved"
    assert standing(said("a"), NOW, ReviewProtocol(policy, 3)).missing == 2
    assert standing(said("aaa"), NOW, ReviewProtocol(policy, 3)).missing == 0


def test_a_dispute_is_seen_before_all_have_judged() -> None:
    assert state(said("ar"), "undisputed", 3) == "disputed"
    assert state(said("ar"), "adjudicated", 3) == "disputed"


ADJUDICATED = ReviewProtocol("adjudicated", adjudicators=("cyd",))


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_an_adjudicators_verdict_decides(verdict: Verdict) -> None:
    decided = Said("cyd", verdict, "adjudicator", time=0.5)
    stands = standing([*said("ar"), decided], NOW, ADJUDICATED)
    means = {"approve": "approved", "reject": "rejected", "needs_work": "needs_work"}
    assert (stands.state, stands.missing) == (means[verdict], 0)
    assert standing([decided], NOW, ADJUDICATED).state == means[verdict]


@pytest.mark.parametrize(
    "claimed",
    [
        Said("eve", "approve", "adjudicator", time=9),  # the protocol does not name eve
        Said("cyd", "approve", "reviewer", time=9),  # not in that role
        Said("cyd", "approve", "adjudicator", time=9, sha256=BEFORE),
    ],
)
def test_who_only_claims_to_adjudicate_decides_nothing(claimed: Said) -> None:
    assert standing([*said("ar"), claimed], NOW, ADJUDICATED).state == "disputed"


def test_the_last_of_two_adjudicators_decides() -> None:
    protocol = replace(ADJUDICATED, adjudicators=("cyd", "dee"))
    first, last = Said("cyd", "approve", "adjudicator", 1), Said("dee", "reject", "adjudicator", 2)
    for reviews in ([first, last], [last, first]):
        assert standing(reviews, NOW, protocol).state == "rejected"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("role", ["model", "check"])
def test_machines_approve_only_where_the_protocol_says_so(policy: Policy, role: Role) -> None:
    two = [Said(f"{role}-{n}", "approve", role) for n in range(2)]
    stands = standing(two, NOW, ReviewProtocol(policy))
    assert (stands.state, stands.set_aside) == ("unreviewed", (f"{role}-0", f"{role}-1"))
    assert standing(two, NOW, ReviewProtocol(policy, machines=(role,))).state == "approved"
    rejection = [*said("aa"), Said("judge", "reject", role)]
    assert standing(rejection, NOW, ReviewProtocol(policy)).state == "approved"


@pytest.mark.parametrize("role", ["reviewer", "adjudicator", "lead"])
def test_nobodys_verdict_counts_on_their_own_words(role: Role) -> None:
    reviews = [Said("cyd", "approve", role), Said("bob", "reject")]
    stands = standing(reviews, NOW, ReviewProtocol(), {"cyd"})
    assert (stands.state, stands.verdicts) == ("rejected", {"bob": "reject"})
    assert stands.set_aside == ("cyd",)
    assert standing(reviews[:1], NOW, ADJUDICATED, {"cyd"}).state == "unreviewed"


def test_a_practitioners_verdict_is_no_reviewers() -> None:
    assert state([Said("ada", "approve", "practitioner")]) == "unreviewed"
    assert state([Said("ada", "reject", "practitioner"), Said("bob", "approve")]) == "approved"


def test_what_was_said_before_roles_counts_as_it_did() -> None:
    earlier = [Said("ada", "approve", None)]
    assert standing(earlier, NOW, ReviewProtocol(), {"ada"}).state == "approved"


def test_dissent_names_who_is_of_another_opinion() -> None:
    stands = standing(said("aar"), NOW, ReviewProtocol("majority"))
    assert (stands.state, stands.dissent) == ("approved", ("r2",))
    assert standing(said("ar"), NOW).dissent == ()


REVIEWS = st.lists(
    st.builds(
        Said,
        reviewer=st.sampled_from(["ada", "bob", "cyd", "dee"]),
        verdict=st.sampled_from([*get_args(Verdict), None]),
        role=st.sampled_from([*get_args(Role), None]),
        time=st.sampled_from([0.0, 1.0, 2.0, 3.0]),
        sha256=st.sampled_from([NOW, BEFORE]),
    ),
    max_size=8,
)
PROTOCOLS = st.builds(
    ReviewProtocol,
    policy=st.sampled_from(POLICIES),
    reviewers=st.integers(1, 3),
    adjudicators=st.sampled_from([(), ("cyd",), ("cyd", "ada")]),
    machines=st.sampled_from([(), ("model",), ("model", "check")]),
)
AUTHORS = st.sets(st.sampled_from(["ada", "bob", "cyd"]))


@example(
    reviews=[
        Said("ada", "reject", sha256=BEFORE),
        Said("ada", "approve", "practitioner"),
        Said("ada", "reject"),
    ],
    protocol=ReviewProtocol(),
    authors=set(),
    order=random.Random(1),
)
@given(reviews=REVIEWS, protocol=PROTOCOLS, authors=AUTHORS, order=st.randoms())
def test_the_order_of_lines_does_not_matter(
    reviews: list[Said], protocol: ReviewProtocol, authors: set[str], order: random.Random
) -> None:
    shuffled = sorted(reviews, key=lambda _: order.random())
    assert outline(standing(shuffled, NOW, protocol, authors)) == outline(
        standing(reviews, NOW, protocol, authors)
    )


@given(reviews=REVIEWS, protocol=PROTOCOLS, authors=AUTHORS)
def test_what_every_standing_keeps_to(
    reviews: list[Said], protocol: ReviewProtocol, authors: set[str]
) -> None:
    stands = standing(reviews, NOW, protocol, authors)
    assert stands.state in get_args(ApprovalState)
    assert (stands.state in ("unreviewed", "void")) == (not stands.verdicts)
    assert (stands.state == "void") <= bool(stands.void)
    if stands.state == "approved":
        assert "approve" in stands.verdicts.values()
        assert not (protocol.policy == "undisputed" and "reject" in stands.verdicts.values())
    changed = standing([replace(one, sha256=BEFORE) for one in reviews], NOW, protocol, authors)
    assert changed.state in ("unreviewed", "void")


def outline(stands: Standing) -> tuple[object, ...]:
    return stands.state, stands.verdicts, set(stands.void), stands.missing, set(stands.set_aside)
