"""The identity of a model call in the index tells calls apart exactly as account, provider and response id do."""

from hypothesis import given
from hypothesis import strategies as st

from app.store.run_rows import call_identity

TEXTS = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
CALLS = st.tuples(st.integers(1, 2**63 - 1), TEXTS, TEXTS)


@given(CALLS, CALLS)
def test_two_calls_have_one_identity_only_when_they_are_the_same(
    one: tuple[int, str, str], other: tuple[int, str, str]
) -> None:
    assert (call_identity(*one) == call_identity(*other)) == (one == other)


def test_a_separator_within_a_text_does_not_make_two_calls_one() -> None:
    apart = {
        call_identity(1, "a/b", "c"),
        call_identity(1, "a", "b/c"),
        call_identity(11, "a", "c"),
        call_identity(1, "1a", "c"),
    }
    assert len(apart) == 4
