"""The accept file: whatever is accepted is read back as it was written, and comments stay."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from driftscan.errors import InputError
from driftscan.model import Pin, Rule
from driftscan.policy.accept_file import parse, with_rule
from driftscan.sanitize import safe

WORDS = st.text(min_size=1, max_size=40).map(safe).filter(str.strip)
PINS = st.builds(
    Pin,
    id=WORDS,
    digest=st.from_regex("[0-9a-f]{16}", fullmatch=True),
    subject=st.just("") | WORDS,
    reference=st.just("") | WORDS,
)
SCOPES = st.sampled_from([{}, {"host": "web-a"}, {"host": "web-c"}, {"group": "web"}])


@st.composite
def rules(draw):
    return Rule(
        id=draw(st.sampled_from(["dpkg:a", "dpkg:b", "hold:x"]) | WORDS),
        reason=draw(WORDS),
        owner=draw(WORDS),
        until=str(draw(st.dates())),
        ticket=draw(st.just("") | WORDS),
        values=draw(st.lists(PINS, min_size=1, max_size=3)),
        **draw(SCOPES),
    )


@given(st.lists(rules(), max_size=5))
def test_rules_are_read_back_as_they_were_written_one_a_scope_and_in_order(given_):
    text = ""
    for rule in given_:
        text = with_rule(text, rule, "f")
    if not given_:
        return
    latest = {rule.scope: rule for rule in given_}
    read = [replace(rule, line=0) for rule in parse(text, "f").rules]
    assert read == [latest[scope] for scope in sorted(latest)]
    assert all(line.isprintable() for line in text.split("\n"))


@given(rules(), rules())
def test_a_comment_above_a_rule_and_every_other_line_stay(first, second):
    text = with_rule("", first, "f").replace("accepted:\n", "accepted:\n# why\n") + "# end\n"
    made = with_rule(text, second, "f")
    kept = text.splitlines() if first.scope != second.scope else ["accepted:", "# why"]
    left = iter(made.splitlines())
    assert all(line in left for line in kept)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_in_a_sentence(text):
    told = "f:"
    try:
        parse(text, "f")
    except InputError as error:
        told = str(error)
    assert told.startswith("f:")
