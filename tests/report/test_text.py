"""The text a tired operator reads: what is known is a line, what is not is none."""

import re

import pytest
from msgspec.structs import replace

from driftscan.model import (
    Cause,
    Changes,
    Divergence,
    Evidence,
    Explains,
    Finding,
    Headline,
    HostRecord,
    HostReport,
    Hypothesis,
    Match,
    Meta,
    Place,
    Remedy,
    Report,
    Step,
    Symbols,
    Use,
    Window,
)
from driftscan.report import text
from driftscan.report.finding import command, short

OLD, NEW = "8:6.9.11.60+dfsg-1.6+deb12u11", "8:6.9.11.60+dfsg-1.6+deb12u15"
SAYS = 'Fix regression of CVE-2026-25971: SVG <image> with data: URI fails ("unable to open image")'


def member(key):
    return Divergence(
        section="dpkg",
        key=key,
        kind="changed",
        subject={"version": OLD},
        reference={"version": NEW},
        changes={"version": [OLD, NEW]},
        direction="older",
        group="imagemagick",
    )


def finding(**more):
    return Finding(
        section="dpkg",
        key="imagemagick",
        kind="changed",
        direction="older",
        subject_version=OLD,
        reference_version=NEW,
        level="breaks",
        members=[member("imagemagick"), member("libmagickcore-6.q16-6")],
        cause="repository-missing:bookworm-security",
        **more,
    )


CAUSE = Cause(
    type="repository-missing",
    subject="bookworm-security",
    text="web-a does not have the repository bookworm-security",
    confidence="recorded",
    level="breaks",
    claims=["dpkg:imagemagick", "dpkg:libmagickcore-6.q16-6"],
    evidence=[Evidence(text="it is configured on image web, not on web-a", confidence="recorded")],
)


def meta(name):
    return Meta(target=name, kind="host", address="", taken="", privilege="root")


def host(*findings, **more):
    return HostReport(
        state="drift",
        subject=meta("web-a"),
        reference=meta("web"),
        reference_image=Place(
            kind="base", file="web/Dockerfile", text="web", built="2026-11-24T12:40:00Z"
        ),
        causes=[CAUSE],
        findings=list(findings),
        equal={"dpkg": 211, "os": 3, "apt-pins": 0},
        **more,
    )


def told(report, **look):
    whole = Report(complete=True, exit_code=1, counts={}, hosts={"web-a": report})
    return text.render(whole, **look)


def flat(report, **look):
    return re.sub(r"\s+", " ", told(report, **look))


def test_the_symptom_in_a_changelog_is_told_with_its_version_and_how_many_were_searched():
    match = Match(version="8:6.9.11.60+dfsg-1.6+deb12u14", text=SAYS, hits=1, searched=20)
    page = flat(host(finding(match=match), symptom="unable to open image"))
    assert f'change deb12u14 "{SAYS}"' in page
    assert "your symptom: only match in 20 changelogs" in page
    assert "Your symptom is what the changelog of imagemagick speaks of." in page


def test_a_symptom_that_no_changelog_knows_is_told_with_how_many_were_read():
    read = finding(changes=Changes(entries=1))
    other = replace(read, key="curl")
    assert "The one changelog read does not speak of 'segfault'." in flat(
        host(read, symptom="segfault")
    )
    page = flat(host(read, other, symptom="segfault"))
    assert "None of the 2 changelogs read speaks of 'segfault'." in page
    page = flat(host(finding(), symptom="segfault"))
    assert "No changelog was read: whether one speaks of 'segfault' is not known." in page


def test_a_symptom_is_not_forgotten_where_nothing_differs():
    same = replace(host(symptom="segfault"), causes=[])
    assert "So no changelog was searched for 'segfault': no version differs." in flat(same)


def test_a_symptom_that_many_changelogs_speak_of_is_called_too_common():
    match = Match(version="u14", text=SAYS, hits=4, searched=20, confidence="inferred")
    many = [replace(finding(match=match), key=f"source{n}") for n in range(4)]
    page = flat(host(*many, symptom="failed to"))
    assert "'failed to' is in the changelogs of 4 sources: too common to point to one" in page


def test_a_broken_window_names_both_versions_both_dates_and_where_the_subject_is():
    window = Window(
        of="CVE-2026-25971",
        introduced="u9",
        introduced_date="2026-04-25T10:00:00Z",
        fixed="u14",
        fixed_date="2026-10-25T10:00:00Z",
        inside=True,
    )
    assert (
        "window broken since u9 (2026-04-25), fixed in u14 (2026-10-25); "
        "web-a is inside (CVE-2026-25971)"
    ) in flat(host(finding(windows=[window])))


def test_the_headline_of_a_changelog_stands_with_the_counts_of_its_kinds():
    headline = Headline(version="u14", kind="regression", text=SAYS, bugs=["#1150224"])
    changes = Changes(entries=4, counts={"regression": 2, "security": 97}, headline=headline)
    page = flat(host(finding(changes=changes)))
    assert f'change u14 "{SAYS}" #1150224 (4 uploads: 2 regression, 97 security)' in page


def test_a_changelog_that_does_not_reach_back_says_that_more_may_have_changed():
    changes = Changes(entries=1, complete=False)
    assert "1 upload; more may have changed" in flat(host(finding(changes=changes)))


def test_users_are_told_with_plugin_ports_and_stale_files():
    use = Use(
        program="/usr/sbin/php-fpm8.2",
        service="php8.2-fpm.service",
        processes=3,
        files=["/usr/lib/libMagickCore-6.Q16.so.6"],
        via=["imagick.so"],
        ports=["tcp/9000"],
        stale=True,
    )
    assert (
        "used by php8.2-fpm (3 processes, through imagick.so, listens on tcp/9000, "
        "still runs the old file)"
    ) in flat(host(finding(uses=[use])))


def test_programs_that_somebody_may_call_are_told():
    page = flat(host(finding(tools=["/usr/bin/convert", "/usr/bin/identify"])))
    assert "used by no running process tools convert, identify" in page


def test_symbols_and_sonames_are_told_and_long_lists_say_how_many_more():
    symbols = Symbols(gained=list("abcdef"), sonames_lost=["libMagickCore-6.Q16.so.6"])
    page = flat(host(finding(symbols=symbols)))
    assert "symbols soname gone: libMagickCore-6.Q16.so.6; new: a, b, c, d +2" in page


def test_the_four_questions_stand_with_their_answers_and_reasons():
    asked = [
        Hypothesis(
            id="version",
            question="imagemagick's version?",
            answer="yes",
            confidence="recorded",
            because=[Evidence(text="web-a is inside a broken window", confidence="recorded")],
        ),
        Hypothesis(
            id="dependency",
            question="a library that imagemagick uses?",
            answer="unlikely",
            confidence="inferred",
        ),
    ]
    page = flat(host(finding(), hypotheses=asked))
    assert "imagemagick's version? YES: web-a is inside a broken window" in page
    assert "a library that imagemagick uses? unlikely (inferred)" in page


def test_where_a_screen_has_no_room_the_answers_stand_without_reasons():
    asked = [
        Hypothesis(id="version", question="its version?", answer="yes", confidence="recorded"),
        Hypothesis(id="service", question="the service?", answer="no", confidence="recorded"),
    ]
    crowded = many(40)
    long = [replace(cause, text="some words " * 40) for cause in crowded.causes]
    page = flat(replace(crowded, causes=long, hypotheses=asked))
    assert "Could it be ... its version? YES. the service? no." in page


def test_what_is_not_known_is_no_line_and_no_label():
    page = told(host(finding()))
    for label in ("  change", "window", "symbols", "Could it be", "symptom", "until", "proof"):
        assert label not in page
    assert "\n\n\n" not in page


def test_time_travel_is_told_with_the_answer():
    since = Evidence(
        text="web-a matched image web until 2026-10-25 11:00 UTC", confidence="inferred"
    )
    page = flat(host(finding(), since=since))
    assert "probably web-a matched image web until 2026-10-25 11:00 UTC." in page


def test_what_breaks_without_any_package_shows_its_evidence():
    shadow = replace(
        CAUSE,
        type="library-shadowed",
        subject="libx.so.1",
        claims=["libraries:libx.so.1|amd64|/usr/local/lib"],
        evidence=[Evidence(text="php-fpm8.2 maps libx.so.1 (3 processes)", confidence="proven")],
    )
    page = flat(replace(host(), causes=[shadow]))
    assert "proven php-fpm8.2 maps libx.so.1 (3 processes)" in page


def test_equal_unknown_and_empty_sections_are_all_told():
    page = flat(host(finding(changes=Changes(entries=1))))
    assert "Equal os; beside the differences: dpkg 211; on neither side: apt-pins" in page
    assert "Unknown nothing of what was asked" in page
    assert "Unknown what changed in one source: no changelog of it was read" in flat(
        host(finding())
    )


LONG = "apt-get install --only-upgrade " + " ".join(f"package-{n}={OLD}" for n in range(12))
QUOTED = (
    "echo 'deb http://security.debian.org/debian-security bookworm-security main' > " + "/x" * 40
)


@pytest.mark.parametrize("command", [LONG, QUOTED, "true", f"# review: {'words ' * 40}"])
def test_a_command_that_is_broken_into_lines_is_still_the_same_command(command):
    remedy = Remedy(id="converge:subject", causes=[], steps=[Step(run=command, why="a reason")])
    page = told(host(finding(), remedies=[remedy]))
    block = page.split("[converge:subject]\n")[1]
    assert max(map(len, page.splitlines())) <= 100
    lines = [line for line in block.splitlines() if not line.strip().startswith("#")]
    joined = re.sub(r" \\\n *", " ", "\n".join(lines)).partition("    #")[0].strip()
    assert joined == ("" if command.startswith("#") else command)
    assert "a reason" in block


# --- the answer --------------------------------------------------------------------------------

LINE = Place(kind="line", file="web/Dockerfile", line=2, text="RUN echo deb > security.list")


def test_the_first_sentence_names_the_line_that_was_never_run_and_its_share():
    explains = Explains(differences=48, sources=20, of=48)
    cause = replace(CAUSE, image_record=LINE, explains=explains, confidence="inferred")
    page = flat(replace(host(finding()), causes=[cause]))
    assert (
        "web-a never ran line 2 of web/Dockerfile: it does not have the repository "
        "bookworm-security. That probably explains all 48 version differences (20 sources). "
        "[repository-missing:bookworm-security]"
    ) in page


def test_the_answer_begins_with_its_level():
    assert "BREAKS web-a does not have the repository" in flat(host(finding()))
    calm = replace(CAUSE, level="installed")
    assert "INSTALLED web-a does not have" in flat(replace(host(finding()), causes=[calm]))


def test_the_line_of_the_image_is_told_apart_from_what_was_done_on_the_host():
    text_ = "curl is on hold on web-a: no upgrade moves it"
    line = replace(LINE, line=9, text="RUN apt-get update && apt-get install -y curl && rm -rf /x")
    hold = replace(
        CAUSE, type="hold", subject="curl", text=text_, claims=["dpkg:curl"], image_record=line
    )
    page = flat(replace(host(finding()), causes=[CAUSE, hold]))
    assert f"{text_}. Image: web/Dockerfile:9 apt-get install -y curl. [hold:curl]" in page
    other = replace(hold, claims=["dpkg:libx"])  # which the line does not name
    assert "Image: web/Dockerfile:9 apt-get install -y curl." in flat(
        replace(host(finding()), causes=[CAUSE, other])
    )
    variable = replace(
        hold, type="environment", text="A=1 is set on image web, not on web-a", claims=[]
    )
    page = flat(replace(host(finding()), causes=[CAUSE, variable]))
    assert "A=1 is set on image web, not on web-a (web/Dockerfile:9)." in page


def test_of_a_long_run_only_what_brings_packages_is_told_and_nothing_that_names_others():
    both = (
        "RUN dnf -y upgrade openssl-libs && dnf -y install nginx php-fpm && rm -rf /var/cache/dnf"
    )
    line = replace(LINE, text=both)
    assert command(line, {"openssl-libs.x86_64"}) == "dnf -y upgrade openssl-libs"
    assert command(line, {"php-opcache.x86_64"}) == "dnf -y install nginx php-fpm"
    two = replace(line, text=f"{both} && dnf -y install {'x' * 40}")
    assert command(two, {"php-opcache"}) == f"{two.text[:57]}..."


def test_one_line_a_cause_names_the_worst_that_it_shares_too():
    release = replace(
        CAUSE, type="release-differs", subject="os", text="web-a runs another release"
    )
    lost = replace(finding(), key="php8.2", cause="removed:php", also=["release-differs:os"])
    calm = [
        replace(finding(), key=f"k{n}", level="in-use", cause="release-differs:os", members=[])
        for n in range(2)
    ]
    other = replace(finding(), key="zlib", cause="release-differs:os", members=[])
    page = told(replace(host(lost, other, *calm), causes=[release]), brief=True)
    assert "Worst: php8.2.  [release-differs:os]" in page


def test_the_same_reason_is_told_once():
    same = [Evidence(text="php-fpm was removed from web-a", confidence="inferred")]
    asked = [
        Hypothesis(
            id=name, question=f"{name}?", answer="not needed", confidence="inferred", because=same
        )
        for name in ("new-feature", "version")
    ]
    page = flat(host(finding(), hypotheses=asked))
    assert (
        "Could it be new-feature or version? not needed (inferred): php-fpm was removed from web-a"
        in page
    )
    other = replace(asked[0], answer="unlikely")
    page = flat(host(finding(), hypotheses=[other, asked[1]]))
    assert "new-feature? unlikely (inferred): php-fpm was removed from web-a version?" in page
    assert "version? not needed (inferred): as above" in page
    lead = replace(CAUSE, text="php-fpm was removed from web-a")
    page = flat(replace(host(finding(), hypotheses=asked), causes=[lead]))
    assert "version? not needed (inferred): see above" in page


def test_of_a_remedy_that_is_cut_the_restart_and_the_next_scan_are_told():
    phases = ["repository", "repository", "packages", "marks", "settings", "settings", "restarts"]
    steps = [
        Step(run=f"do-{n} {'x' * 70}", why=f"why {n} {'y' * 60}", phase=phase)
        for n, phase in enumerate(phases * 2)
    ]
    steps = sorted(steps, key=lambda step: phases.index(step.phase))
    steps.append(Step(run="driftscan check web-a", phase="again"))
    remedy = Remedy(id="converge:subject", causes=[], steps=steps)
    sources = [replace(finding(), level="in-use", key=f"source{n}") for n in range(3)]
    many = [
        replace(CAUSE, type=f"kind{n}", subject="x", text=f"{'z' * 60} {n}", claims=[])
        for n in range(22)
    ]
    whole = replace(host(finding(), *sources, remedies=[remedy]), causes=[CAUSE, *many])
    page = told(whole)
    block = page.split("[converge:subject]\n")[1]
    assert "more steps" in block.splitlines()[0]
    shown = [line.split()[0] for line in block.splitlines() if line.startswith("  do-")]
    done = [
        steps[number].phase for number, step in enumerate(steps) if step.run.split()[0] in shown
    ]
    assert {"repository", "packages", "restarts"} <= {*done}
    assert "driftscan check web-a" in block


def test_one_of_them_matches_the_symptom():
    match = Match(version="u14", text=SAYS, hits=1, searched=20)
    cause = replace(CAUSE, explains=Explains(differences=48, sources=20, of=48))
    told = replace(host(finding(match=match), symptom="x"), causes=[cause])
    assert "One of them matches your symptom: imagemagick." in flat(told)


def test_where_packages_do_not_explain_the_break_the_first_words_say_so():
    shadow = replace(CAUSE, claims=["libraries:libx.so.1|amd64|/usr/local/lib"])
    page = flat(replace(host(finding()), causes=[shadow]))
    assert "Packages do not explain this: web-a does not have" in page
    assert "Packages do not" not in flat(replace(host(), causes=[shadow]))


def test_why_it_is_not_age_is_told():
    age = Evidence(text="not age: u12 (2026-07-12) was out", confidence="recorded")
    cause = replace(CAUSE, evidence=[*CAUSE.evidence, age])
    page = flat(replace(host(finding()), causes=[cause]))
    assert "Why not age: u12 (2026-07-12) was out" in page


def test_the_record_of_a_cause_is_a_sentence_and_the_command_is_not_told_twice():
    done = HostRecord(time="2026-11-16 16:29", zone="UTC", user="deploy", command="apt-get x")
    causes = [CAUSE, replace(CAUSE, subject="b", level="installed", host_record=done)]
    assert "Done 2026-11-16 16:29 UTC by deploy: apt-get x." in flat(
        replace(host(finding()), causes=causes)
    )
    named = [replace(CAUSE, text="`apt-get x` moved web-a", host_record=done)]
    page = flat(replace(host(finding()), causes=named))
    assert "`apt-get x` moved web-a. Done by deploy." in page
    assert page.count("apt-get x") == 1


def test_causes_of_one_kind_and_one_operation_are_one_line():
    pins = [
        replace(CAUSE, type="pin", subject=name, text=f"web-a pins {name}", level="installed")
        for name in ("a", "b", "c")
    ]
    page = flat(replace(host(finding()), causes=[CAUSE, *pins]))
    assert "INSTALLED web-a pins a. The same kind: b, c. [pin:a]" in page
    assert "[pin:c]" in flat(replace(host(finding()), causes=[CAUSE, *pins]), everything=True)


def test_brief_is_one_line_a_cause():
    causes = [CAUSE, replace(CAUSE, subject="b", level="installed", text="long " * 60)]
    lines = told(replace(host(finding()), causes=causes), brief=True).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["BREAKS", "INSTALLED"]
    assert [line.rpartition("  ")[2] for line in lines[2:]] == [f"[{c.id}]" for c in causes]


def test_a_list_of_sources_says_who_loads_them_and_what_their_changelogs_hold():
    use = Use(program="/usr/sbin/x", service="x.service", processes=1, files=["/lib/y.so"])
    changes = Changes(entries=1, ids=["CVE-2026-1", "CVE-2026-2", "#17"])
    others = [
        replace(finding(uses=[use], changes=changes, symbols=Symbols()), level="in-use", key=key)
        for key in ("openssl", "expat")
    ]
    cause = replace(CAUSE, explains=Explains(differences=4, sources=2, of=4))
    page = flat(replace(host(finding(), *others), causes=[cause]))
    assert (
        "IN USE 2 sources (loaded by x; 2 CVE ids fixed in newer versions; no symbol gone)" in page
    )


def test_what_is_fixed_here_already_is_told_apart_and_how_many_changelogs_were_read():
    use = Use(program="/usr/sbin/x", service="x.service", processes=1, files=["/lib/y.so"])
    base = replace(finding(uses=[use]), level="in-use", cause=CAUSE.id)
    behind = replace(base, key="a", changes=Changes(entries=1, ids=["CVE-2026-1", "CVE-2026-2"]))
    ahead = replace(
        base, key="b", direction="newer", changes=Changes(entries=1, ids=["CVE-2026-2"])
    )
    unread = replace(base, key="c")
    cause = replace(CAUSE, explains=Explains(differences=4, sources=2, of=4))
    page = flat(replace(host(finding(), behind, ahead, unread), causes=[cause]))
    fixed = "1 CVE id fixed in newer versions; 1 CVE id fixed here already"
    assert f"{fixed}; changelogs of 2 of them read" in page
    assert "Unknown what changed in 2 of 4 sources: no changelog of them was read" in page
    assert "nothing of what was asked" not in page


def test_other_sonames_are_told_and_are_not_called_symbols_that_were_read():
    named = Symbols(sonames_gained=["libx.so.2"], cites=["subject/libraries:libx.so.2|amd64|/lib"])
    two = [
        replace(finding(symbols=one), level="in-use", key=key)
        for key, one in (("libx", named), ("curl", None))
    ]
    cause = replace(CAUSE, explains=Explains(differences=4, sources=2, of=4))
    page = flat(replace(host(finding(), *two), causes=[cause]))
    assert "other sonames in libx" in page
    assert "no symbol gone" not in page


def test_of_a_group_what_is_missing_and_both_versions_are_told():
    gone = replace(member("php-fpm"), kind="missing", subject=None)
    mixed = replace(finding(), key="php-defaults", kind="mixed", members=[member("php"), gone])
    assert f"php-defaults: php-fpm missing, {OLD} -> deb12u15, 2 packages" in flat(host(mixed))


def test_a_removed_package_is_told_by_its_cause_alone():
    removed = replace(
        CAUSE, type="removed", subject="php-fpm", text="php-fpm was removed from web-a", claims=[]
    )
    gone = replace(finding(), kind="missing", cause="removed:php-fpm")
    page = flat(replace(host(gone), causes=[CAUSE, removed]))
    assert "BREAKS php-fpm was removed from web-a. [removed:php-fpm]" in page
    assert "used by" not in page


def test_what_differs_where_the_version_does_not_is_told():
    held = replace(member("curl"), changes={"want": ["hold", "install"]})
    one = replace(finding(), level="in-use", subject_version=NEW, key="curl", members=[held])
    other = replace(held, key="wget", changes={"digest": ["0" * 64, "1" * 64]})
    two = replace(one, key="wget", members=[other])
    cause = replace(CAUSE, explains=Explains(differences=4, sources=2, of=4))
    page = flat(replace(host(finding(), one, two), causes=[cause]))
    why = "not loaded now; in use by repository-missing:bookworm-security"
    assert f"IN USE 2 sources ({why}): curl (want: hold -> install), wget (digest)" in page


def test_what_is_in_use_though_nobody_loads_it_says_why():
    asked = replace(finding(requested=True), level="in-use")
    assert "used by no running process; asked for by its name" in flat(host(asked))
    other = flat(host(replace(asked, requested=False)))
    assert "no running process; in use by repository-missing:bookworm-security" in other
    assert "asked for by" not in flat(host(finding(requested=True)))  # it breaks
    cause = replace(CAUSE, explains=Explains(differences=4, sources=2, of=4))
    use = Use(program="/usr/sbin/x", service="x.service", processes=1, files=["/lib/y.so"])
    two = [replace(asked, key="expat", uses=[use]), replace(asked, key="curl")]
    page = flat(replace(host(finding(), *two), causes=[cause]))
    assert "IN USE 2 sources (1 loaded by x; 1 asked for by name): " in page


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ("1.2-1+deb12u1", "1.2-1+deb12u3", ("deb12u1", "deb12u3")),
        ("2:9.0.1~deb11u1", "2:9.0.1~deb11u2", ("deb11u1", "deb11u2")),
        ("8.0-1~bpo12+1", "8.0-1~bpo13+1", ("8.0-1~bpo12+1", "8.0-1~bpo13+1")),
        ("0.19-3", "0.19-3+deb12u1", None),
        ("2.1.12-stable-8", "2.1.12-stable-8+deb12u1", None),
        ("9.1-0", "9.1-1", None),
        ("1.0.9-2+b6", "1.0.9-2+deb12u1", None),
        ("3.0.20-1~deb12u2", "3.0.22-1~deb12u2", None),
        ("1:3.0.7-24.el9", "1:3.0.7-27.el9", None),
    ],
)
def test_versions_are_shortened_to_their_uploads_only_where_all_else_is_the_same(
    ours, theirs, told
):
    assert short(ours, theirs) == (told or (ours, theirs))


# --- one screen --------------------------------------------------------------------------------


def many(count):
    causes = [
        replace(CAUSE, type=f"kind{n}", text="some words " * 12, level="installed")
        for n in range(count)
    ]
    words = [f"package-{n}={OLD}" for n in range(4 * count)]
    steps = [
        Step(run=" ".join(["apt-get install", *words]), why="the versions", words=words),
        *(Step(run=f"mv /usr/local/bin/{n} /root", why="hidden") for n in range(count)),
        *(Step(run=f"command {n}", why=f"reason {n}") for n in range(count)),
        Step(run="driftscan check web-a", why="what is left"),
    ]
    remedy = Remedy(id="converge:subject", causes=[], steps=steps)
    findings = [replace(finding(), key=f"source{n}") for n in range(count)]
    return replace(host(*findings, remedies=[remedy]), causes=[CAUSE, *causes])


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_one_host_fits_a_screen_whatever_differs(count):
    page = told(many(count))
    assert len(page.splitlines()) < 60
    assert max(map(len, page.splitlines())) <= 100
    assert "driftscan check web-a    # what is left" in page


def test_half_a_command_is_a_comment_and_all_of_it_is_told_on_demand():
    page = told(many(10))
    assert "# apt-get install ... (40 names: --all or --fix DIR)" in page
    assert not [line for line in page.splitlines() if line.startswith("  apt-get install")]
    assert "package-39=" in told(many(10), everything=True)


def test_a_section_that_one_side_alone_has_is_not_on_neither_side():
    pin = Finding(
        section="apt-pins",
        key="ghostscript|version 10*",
        kind="extra",
        level="installed",
        members=[],
        cause=CAUSE.id,
    )
    only = Divergence(section="apt-pins", key="ghostscript", kind="extra", group="ghostscript")
    page = flat(host(replace(pin, members=[only])))
    assert "neither side" not in page


def test_of_a_package_manager_on_neither_side_the_name_alone_is_told():
    nothing = {"apk": 0, "apk-keys": 0, "apt-pins": 0, "rpm": 0, "rpm-modules": 0, "rpm-pins": 0}
    page = flat(replace(host(), equal={"os": 3, **nothing}))
    assert "on neither side: apk, apt-pins, rpm Unknown" in page
