"""Dockerfiles: line ranges against BuildKit's own parser, chains of stages, real histories."""

import re

import dockerfile as buildkit_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import dockerfile
from driftscan.errors import InputError


def everything(parsed):
    inside = [i for stage in parsed.stages for i in (stage.instruction, *stage.instructions)]
    return [*parsed.global_args, *inside]


def ranges(text):
    return [(i.keyword, i.line, i.end_line) for i in everything(dockerfile.parse(text))]


# --- line ranges: BuildKit's parser (PyPI `dockerfile`) is the oracle -----------------------

TRICKY = {
    "plain": "FROM debian:12\nRUN apt-get update\n",
    "no final newline": "FROM debian:12\nRUN apt-get update",
    "comment inside a continuation": "FROM a\nRUN b && \\\n  # why\n\n\n  c\nRUN d\n",
    "comment ending in a backslash": "FROM a\n# c \\\nRUN d\n",
    "blanks after the backslash": "FROM a\nRUN b \\ \t \n  c\n",
    "doubled backslash": "FROM a\nRUN b\\\\\nRUN c\n",
    "trailing backslash at the end": "FROM a\nRUN b \\",
    "trailing backslash, empty lines": "FROM a\nRUN b \\\n\n\n",
    "crlf": "FROM a\r\nRUN b \\\r\n  c\r\nRUN <<EOF\r\nd\r\nEOF\r\n",
    "byte order mark": "\ufeffFROM a\nRUN b\n",
    "escape directive": "# syntax=x/y:1\n# escape=`\nFROM a\nRUN dir c:\\\nRUN b `\n c\n",
    "directive too late": "# hello\n# escape=`\nFROM a\nRUN b \\\n c\n",
    "lower case": "from a as b\nrun c\ncopy --from=b --chown=1:2 d e\n",
    "two heredocs": 'FROM a\nRUN <<EOF cat <<-"E2"\nhi\nEOF\n\tyo\n\tE2\nRUN c\n',
    "quoted name with blanks": "FROM a\nCOPY <<'E F' /x\n$y\nE F\nRUN c\n",
    "heredoc with a command": "FROM a\nRUN cat <<EOF > /x && \\\n  echo\nRUN no\nEOF\nRUN c\n",
    "heredoc marks inside": "FROM a\nRUN <<EOF\ncat <<E2\nE2\nEOF\nRUN c\n",
    "name and backslash": "FROM a\nRUN <<\\EOF\n$x\nEOF\nRUN c\n",
    "no heredoc: quoted": "FROM a\nRUN echo '<<EOF'\nRUN echo \"<<EOF\"\n",
    "no heredoc: here-string": "FROM a\nRUN cat <<<EOF\n",
    "no heredoc: arithmetic": "FROM a\nRUN echo $((1 << 2))\n",
    "no heredoc: exec form": 'FROM a\nRUN ["echo", "<<EOF"]\nRUN c\n',
    "no heredoc: not RUN": 'FROM a\nLABEL x="<<EOF"\nRUN c\n',
    "several stages": "ARG V=1\nFROM a:$V AS x\nRUN b\n\nFROM x\nCOPY --from=x /b /b\n",
    "form feed and U+2028 end no line": "FROM a\nRUN b\x0cRUN c\nRUN d\u2028RUN e\n",
    "odd blanks first": "FROM a\n\u00a0RUN b\n\tRUN c\n",
}


def oracle(text):
    return [
        (
            command.cmd.upper(),
            command.start_line,
            command.end_line,
            command.flags,
            tuple((heredoc.name, heredoc.content) for heredoc in command.heredocs),
        )
        for command in buildkit_parser.parse_string(text)
    ]


def ours(text):
    return [
        (i.keyword, i.line, i.end_line, i.flags, tuple((h.name, h.content) for h in i.heredocs))
        for i in everything(dockerfile.parse(text))
    ]


@pytest.mark.parametrize("text", TRICKY.values(), ids=TRICKY.keys())
def test_a_tricky_file_is_divided_as_buildkit_divides_it(text):
    assert ours(text) == oracle(text)


lines = st.sampled_from(
    [
        *[
            "FROM a",
            "FROM a AS b",
            "RUN x",
            "RUN x \\",
            "RUN x \\  ",
            "RUN x\\\\",
            "# c",
            "  # c \\",
            "",
        ],
        *[
            "  ",
            "\t",
            "y \\",
            "RUN <<EOF",
            "EOF",
            'RUN <<-E "a" <<F',
            "\tE",
            "F",
            "RUN echo '<<EOF'",
        ],
        *[
            "RUN echo 'a <<EOF",
            'RUN ["a", "<<EOF"]',
            "COPY --from=b --chown=a:b a b",
            "E F",
            "EOF\r",
        ],
        *['RUN --mount=type=x <<"E F"', "RUN cat <<'EOF' > /x", "RUN a << EOF", "RUN a <<<EOF"],
        *["RUN 3<<EOF", "RUN x \\\r", "run y", "RUN <<E$X", "E$X", "RUN a<<EOF", "RUN <<EOF\\"],
        *["\x0cRUN x", "\u00a0RUN z", "RUN <<\\EOF", "RUN x `", 'RUN "a', "RUN ${X:-<<EOF}"],
        *["RUN $(cat <<EOF)", "RUN -- x", "RUN --x", "WORKDIR /x"],
    ]
)
files = st.tuples(
    st.sampled_from(["", "# escape=`\n", "# syntax=a\n", "# c\n"]),
    st.lists(lines, max_size=7).map(lambda some: "\n".join(["FROM base", *some])),
    st.sampled_from(["", "\n"]),
).map("".join)


@given(files)
def test_a_generated_file_is_divided_as_buildkit_divides_it(text):
    try:
        want = oracle(text)
    except buildkit_parser.GoParseError:
        want = None
    unknown = want and [row[0] for row in want if row[0] not in dockerfile.KEYWORDS]
    if want is None or unknown:  # a builder refuses an unknown instruction after parsing
        with pytest.raises(InputError):
            dockerfile.parse(text)
    else:
        assert ours(text) == want


@given(st.one_of(files, st.text(max_size=80), st.text('FROMRUN <"\\\n-E#=$[{', max_size=60)))
def test_no_text_makes_the_parser_raise_anything_but_an_input_error(text):
    try:
        parsed = dockerfile.parse(text)
    except InputError:
        return
    chain = dockerfile.final_chain(parsed, {})
    assert all(isinstance(dockerfile.matches(i, i.original), bool) for i in chain)


@given(files)
def test_every_line_that_is_no_comment_belongs_to_exactly_one_instruction(text):
    try:
        found = everything(dockerfile.parse(text))
    except InputError:
        return
    source = text.removeprefix("\ufeff").split("\n")
    owners = [
        sum(i.line <= number <= i.end_line for i in found) for number in range(1, len(source) + 1)
    ]
    outside = [line for line, count in zip(source, owners, strict=True) if count == 0]
    assert max(owners) == 1
    assert [line for line in outside if line.strip() and not line.lstrip().startswith("#")] == []
    assert all(i.original == "\n".join(source[i.line - 1 : i.end_line]) for i in found)


# --- what an instruction is ----------------------------------------------------------------


def test_a_joined_line_keeps_its_blanks_and_drops_the_comments():
    parsed = dockerfile.parse("FROM a\nRUN one && \\\n  # why\n\n  two\n")
    assert parsed.stages[0].instructions == (
        dockerfile.Instruction(
            keyword="RUN",
            value="one &&   two",
            original="RUN one && \\\n  # why\n\n  two",
            line=2,
            end_line=5,
        ),
    )


def test_a_quoted_heredoc_is_not_expanded_and_a_dash_chomps():
    parsed = dockerfile.parse("FROM a\nRUN <<-'ONE' cat <<TWO\n\t$x\n\tONE\n$y\nTWO\n")
    assert parsed.stages[0].instructions[0].heredocs == (
        dockerfile.Heredoc("ONE", "\t$x\n", expand=False, chomp=True),
        dockerfile.Heredoc("TWO", "$y\n", expand=True, chomp=False),
    )


def test_a_copy_tells_the_stage_it_takes_from():
    stage = dockerfile.parse("FROM a\nCOPY --from=b --link c d\nCOPY c d\nRUN --mount=x y").stages[
        0
    ]
    assert [(dockerfile.copied_from(i), i.flags) for i in stage.instructions] == [
        ("b", ("--from=b", "--link")),
        (None, ()),
        (None, ("--mount=x",)),
    ]


def test_a_shell_runs_what_follows_it_in_its_stage_and_in_the_stages_from_it():
    parsed = dockerfile.parse(
        'FROM a AS x\nRUN 1\nSHELL ["/bin/bash", "-c"]\nRUN 2\nFROM x\nRUN 3\nFROM a\nRUN 4\n'
    )
    assert [i.shell[0] for i in everything(parsed) if i.keyword == "RUN"] == [
        "/bin/sh",
        "/bin/bash",
        "/bin/bash",
        "/bin/sh",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "FROM a\nRUN <<EOF\na\nEOF\n\nAPT-GET update",
            "app/Dockerfile:6: unknown instruction 'APT-GET'; is the end of a heredoc or a "
            "backslash missing on the line before?",
        ),
        (
            "FROM a\nRUN <<EOF\na\n",
            "app/Dockerfile:2: the heredoc 'EOF' has no end; add a line with EOF alone",
        ),
        (
            "\nRUN a\nFROM b",
            "app/Dockerfile:2: RUN before the first FROM; only ARG may stand there",
        ),
        ("FROM a b", "app/Dockerfile:1: FROM 'a b'; it takes IMAGE or IMAGE AS NAME"),
        ("FROM a\nCOPY", "app/Dockerfile:2: COPY has no argument; give it one"),
        ("# escape=x\nFROM a", "app/Dockerfile: escape='x'; it must be \\ or `"),
        (
            "# escape=`\n# escape=`\nFROM a",
            "app/Dockerfile:2: a second parser directive 'escape'; keep one",
        ),
        (
            "# only a comment",
            "app/Dockerfile: no FROM instruction; a Dockerfile names its base image by FROM",
        ),
    ],
)
def test_an_error_names_file_and_line_and_what_to_do(text, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        dockerfile.parse(text, "app/Dockerfile")


# --- variables and stages ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("$X", "x"),
        ("${X}y", "xy"),
        ("$Xy", "$Xy"),
        ("${NO:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${X:-d}", "x"),
        ("${X:+d}", "d"),
        ("${NO:+d}", ""),
        ("${EMPTY:+d}", ""),
        ("${EMPTY+d}", "d"),
        ("${NO:-${X}}", "x"),
        ("${NO:-$X}", "x"),
        ("\\$X", "$X"),
        ("'$X'", "'$X'"),
        ("$NO", "$NO"),
        ("${X#pattern}", "${X#pattern}"),
        ("$", "$"),
        ("a$X:${X}", "ax:x"),
    ],
)
def test_a_variable_is_put_in_as_a_builder_does(text, want):
    assert dockerfile.substitute(text, {"X": "x", "EMPTY": ""}) == want


STAGES = """\
ARG VERSION=12
ARG BASE=debian:${VERSION}
FROM $BASE AS Common
RUN one
ONBUILD RUN trigger
FROM golang AS builder
RUN two
FROM common
COPY --from=builder /a /a
RUN three
"""


def test_the_reference_of_a_stage_has_the_defaults_put_in():
    stages = dockerfile.parse(STAGES).stages
    assert [(s.index, s.name, s.base, s.reference) for s in stages] == [
        (0, "Common", "$BASE", "debian:12"),
        (1, "builder", "golang", "golang"),
        (2, None, "common", "common"),
    ]


def test_an_arg_without_a_value_leaves_the_reference_as_written():
    parsed = dockerfile.parse("ARG TAG\nFROM debian:$TAG\n")
    assert parsed.stages[0].reference == "debian:$TAG"
    assert dockerfile.final_chain(parsed, {"TAG": "13"})[0].value == "debian:13"


@pytest.mark.parametrize(
    ("build_args", "target", "want"),
    [
        (
            {},
            None,
            [
                *[(3, "FROM", "debian:12"), (4, "RUN", "one"), (5, "ONBUILD", "RUN trigger")],
                *[(5, "RUN", "trigger"), (9, "COPY", "/a /a"), (10, "RUN", "three")],
            ],
        ),
        ({"VERSION": "13"}, "builder", [(6, "FROM", "golang"), (7, "RUN", "two")]),
        (
            {"VERSION": "13"},
            "COMMON",
            [(3, "FROM", "debian:13"), (4, "RUN", "one"), (5, "ONBUILD", "RUN trigger")],
        ),
        ({"BASE": "x"}, "1", [(6, "FROM", "golang"), (7, "RUN", "two")]),
    ],
)
def test_the_final_chain_is_what_made_the_image_in_build_order(build_args, target, want):
    chain = dockerfile.final_chain(dockerfile.parse(STAGES), build_args, target)
    assert [(i.line, i.keyword, i.value) for i in chain] == want


def test_a_build_arg_may_choose_the_stage_the_last_one_is_from():
    text = "ARG KIND=fat\nFROM a AS fat\nRUN 1\nFROM b AS thin\nRUN 2\nFROM $KIND\nRUN 3\n"
    chains = [
        [i.value for i in dockerfile.final_chain(dockerfile.parse(text), args)]
        for args in ({}, {"KIND": "thin"})
    ]
    assert chains == [["a", "1", "3"], ["b", "2", "3"]]


def test_a_stage_of_the_name_of_its_base_image_is_no_circle():
    chain = dockerfile.final_chain(
        dockerfile.parse("FROM debian AS debian\nFROM debian\nRUN 1"), {}
    )
    assert [i.value for i in chain] == ["debian", "1"]


def test_a_target_that_is_not_there_is_an_input_error():
    with pytest.raises(InputError, match="no stage 'x'; there are: Common, builder, 2"):
        dockerfile.final_chain(dockerfile.parse(STAGES), {}, "x")


# --- history: real answers of Docker 20.10.24 (Debian 12), legacy builder and BuildKit ------

BUILT = """\
# a comment
ARG BASE=driftscan-dftest-base
ARG TAG=1
FROM ${BASE}:${TAG} AS builder
RUN echo built > /out
FROM ${BASE}:${TAG}
ARG WHO=world
ARG UNSET
ENV A=b C="d e" D=${WHO}
ENV OLD form of env
ENV PATH=/opt/bin:$PATH
LABEL a=b c="d e"
LABEL "quoted key"=v
RUN echo hello $WHO && \\
    # a comment inside
    echo   two
RUN ["/bin/echo", "exec form"]
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN echo bash | cat
WORKDIR /srv/app
WORKDIR rel
COPY f .
COPY f sub/g /multi/
COPY sub /dir/
COPY --from=builder --chown=1:1 /out /out
ADD f /added
COPY ["f", "json form"]
EXPOSE 80 443/tcp 53/udp
VOLUME ["/data", "/more"]
VOLUME /plain
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s CMD true
ONBUILD RUN echo trigger
ENTRYPOINT ["/bin/echo", "a \\"quoted\\" word"]
CMD echo shell $A
"""
SUM = "006e38b0ba63beb8bed26567f867b66ae4aedacbc141714e6e259bd854f16284"
NOP = "/bin/bash -o pipefail -c #(nop)"
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# oldest first; ARGs before the first FROM and the other stage make no history here
LEGACY = [
    (7, "/bin/sh -c #(nop)  ARG WHO=world"),
    (8, "/bin/sh -c #(nop)  ARG UNSET"),
    (9, "/bin/sh -c #(nop)  ENV A=b C=d e D=world"),
    (10, "/bin/sh -c #(nop)  ENV OLD=form of env"),
    (11, f"/bin/sh -c #(nop)  ENV PATH=/opt/bin:{PATHS}"),
    (12, "/bin/sh -c #(nop)  LABEL a=b c=d e"),
    (13, "/bin/sh -c #(nop)  LABEL quoted key=v"),
    (14, "|2 UNSET=given WHO=world /bin/sh -c echo hello $WHO &&     echo   two"),
    (17, "|2 UNSET=given WHO=world /bin/echo exec form"),
    (18, f"{NOP}  SHELL [/bin/bash -o pipefail -c]"),
    (19, "|2 UNSET=given WHO=world /bin/bash -o pipefail -c echo bash | cat"),
    (20, f"{NOP} WORKDIR /srv/app"),
    (21, f"{NOP} WORKDIR /srv/app/rel"),
    (22, f"{NOP} COPY file:{SUM} in . "),
    (23, f"{NOP} COPY multi:{SUM} in /multi/ "),
    (24, f"{NOP} COPY dir:{SUM} in /dir/ "),
    (25, f"{NOP} COPY --chown=1:1file:{SUM} in /out "),
    (26, f"{NOP} ADD file:{SUM} in /added "),
    (27, f"{NOP} COPY file:{SUM} in json form "),
    (28, f"{NOP}  EXPOSE 443/tcp 53/udp 80"),
    (29, f"{NOP}  VOLUME [/data /more]"),
    (30, f"{NOP}  VOLUME [/plain]"),
    (31, f"{NOP}  USER 1000:1000"),
    (32, f"{NOP}  STOPSIGNAL SIGTERM"),
    (33, f'{NOP}  HEALTHCHECK &{{["CMD-SHELL" "true"] "30s" "0s" "0s" \'\\x00\'}}'),
    (34, f"{NOP}  ONBUILD RUN echo trigger"),
    (35, f'{NOP}  ENTRYPOINT ["/bin/echo" "a \\"quoted\\" word"]'),
    (36, f'{NOP}  CMD ["/bin/bash" "-o" "pipefail" "-c" "echo shell $A"]'),
]
BUILDKIT = [  # an ONBUILD makes no history here
    (7, "ARG WHO=world"),
    (8, "ARG UNSET"),
    (9, "ENV A=b C=d e D=world"),
    (10, "ENV OLD=form of env"),
    (11, f"ENV PATH=/opt/bin:{PATHS}"),
    (12, "LABEL a=b c=d e"),
    (13, "LABEL quoted key=v"),
    (
        14,
        "RUN |2 WHO=world UNSET=given /bin/sh -c echo hello $WHO &&     echo   two # buildkit",
    ),
    (17, "RUN |2 WHO=world UNSET=given /bin/echo exec form # buildkit"),
    (18, "SHELL [/bin/bash -o pipefail -c]"),
    (19, "RUN |2 WHO=world UNSET=given /bin/bash -o pipefail -c echo bash | cat # buildkit"),
    (20, "WORKDIR /srv/app"),
    (21, "WORKDIR /srv/app/rel"),
    (22, "COPY f . # buildkit"),
    (23, "COPY f sub/g /multi/ # buildkit"),
    (24, "COPY sub /dir/ # buildkit"),
    (25, "COPY /out /out # buildkit"),
    (26, "ADD f /added # buildkit"),
    (27, "COPY f json form # buildkit"),
    (28, "EXPOSE map[443/tcp:{} 53/udp:{} 80/tcp:{}]"),
    (29, "VOLUME [/data /more]"),
    (30, "VOLUME [/plain]"),
    (31, "USER 1000:1000"),
    (32, "STOPSIGNAL SIGTERM"),
    (33, 'HEALTHCHECK &{["CMD-SHELL" "true"] "30s" "0s" "0s" \'\\x00\'}'),
    (35, 'ENTRYPOINT ["/bin/echo" "a \\"quoted\\" word"]'),
    (36, 'CMD ["/bin/bash" "-o" "pipefail" "-c" "echo shell $A"]'),
]


def instructions(text=BUILT):
    return dockerfile.parse(text).stages[-1].instructions


@pytest.mark.parametrize("history", [LEGACY, BUILDKIT], ids=["legacy", "buildkit"])
@pytest.mark.parametrize("env", [{}, {"WHO": "world", "PATH": PATHS}], ids=["unknown", "known"])
def test_each_line_of_a_real_history_matches_its_instruction_and_no_other(history, env):
    # told like any destination "." is: the legacy builder names neither source nor directory
    vague = {22: {23, 24, 25, 27}} if history is LEGACY else {}
    found = {
        line: {i.line for i in instructions() if dockerfile.matches(i, told, env)}
        for line, told in history
    }
    also = {line: matched - {line} for line, matched in found.items() if matched != {line}}
    assert all(line in matched for line, matched in found.items())
    assert {line: others for line, others in also.items() if not others <= {22}} == {}
    assert all(22 not in others or line in vague[22] for line, others in also.items())


@pytest.mark.parametrize(("builder", "history"), [("legacy", LEGACY), ("buildkit", BUILDKIT)])
def test_a_history_text_is_what_the_builder_really_wrote(builder, history):
    args = {"WHO": "world", "UNSET": "given"}
    told = {
        i.line: dockerfile.history_text(
            i, builder, args if i.keyword == "RUN" else {**args, "PATH": PATHS}
        )
        for i in instructions()
    }
    # a digest, an absolute path and a Go structure cannot be told from the Dockerfile alone
    beyond = {21, 28, 33} | ({18, 22, 23, 24, 25, 26, 27} if builder == "legacy" else set())
    wanted = {line: text for line, text in history if line not in beyond}
    assert {line: told[line] for line in wanted} == wanted


@pytest.mark.parametrize(("keyword", "layer"), [("RUN", True), ("COPY", True), ("WORKDIR", False)])
def test_only_run_copy_and_add_are_sure_to_make_a_layer(keyword, layer):
    found = next(i for i in instructions() if i.keyword == keyword)
    assert dockerfile.creates_layer(found) is layer


@pytest.mark.parametrize(
    ("line", "told"),
    [
        # forms of newer builders, from BuildKit's source (instructions/ and dockerfile2llb), not
        # captured: the engine of the lab is 20.10
        ("RUN <<EOF\na\nb $x\nEOF", "RUN /bin/sh -c a\nb $x\n # buildkit"),
        ("RUN cat <<EOF > /x\na\nEOF", "RUN /bin/sh -c cat <<EOF > /x\na\nEOF # buildkit"),
        ("RUN --mount=type=cache,target=/x a b", "RUN /bin/sh -c a b # buildkit"),
        ("COPY --chown=1 --link a /b", "COPY --chown=1 --link a /b # buildkit"),
        ("EXPOSE 80", "EXPOSE [80/tcp]"),
        # a base image with a shell of its own
        ("RUN a", "/bin/ash -eo pipefail -c a"),
        ("RUN a", "/bin/bash -lc a"),
        # captured from podman 4.3
        ('RUN ["a", "b c"]', '|1 X=y /bin/sh -c ["a", "b c"]'),
    ],
)
def test_other_forms_of_history_match_too(line, told):
    assert dockerfile.matches(instructions(f"FROM a\n{line}\n")[0], told)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("RUN b", "/bin/sh -c a b"),
        ("RUN a", "/bin/sh -c a b"),
        ("RUN a", "/bin/sh -c #(nop)  ENV a"),
        ("RUN a", ""),
        ('RUN ["a", "b"]', '/bin/sh -c ["a", "c"]'),
        ("ENV A=b", "ENV A=c"),
        ("ENV A=$X/c", "ENV A=b/d"),
        ("COPY a /b", "/bin/sh -c #(nop) COPY file:1 in /c "),
        ("COPY a /b", "ADD a /b # buildkit"),
        ("WORKDIR rel", "WORKDIR /srv/other"),
        ("WORKDIR rel", "WORKDIR /srv/unrel"),
        ("EXPOSE 80", "EXPOSE map[81/tcp:{}]"),
        ('CMD ["a"]', 'CMD ["/bin/sh" "-c" "a"]'),
    ],
)
def test_another_instruction_does_not_match(line, told):
    assert not dockerfile.matches(instructions(f"FROM a\n{line}\n")[0], told)


@given(st.text(max_size=60), st.sampled_from([i.line for i in instructions()]))
def test_no_history_makes_the_comparison_raise(told, line):
    found = next(i for i in instructions() if i.line == line)
    assert dockerfile.matches(found, told) in (True, False)
