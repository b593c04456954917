"""What a Dockerfile copies from its folder: which files count, and what of them."""

import os

import pytest

from driftscan import context, dockerfile
from driftscan.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """A folder that is written from `{path: content}`; text with `->` before it is a link."""

    def folder(files, lines="COPY . /\n", ignore=None):
        (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{lines}")
        if ignore is not None:
            (tmp_path / ".dockerignore").write_text(ignore)
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_text(content)
        return tmp_path / "Dockerfile"

    return folder


def digest(path):
    return context.digest(path, dockerfile.parse(path.read_text(), str(path)))


def counted(path):
    """The paths that the digest is of."""
    sources = context._sources(dockerfile.parse(path.read_text(), str(path)))
    return [entry.path for entry in context.files(path, sources)]


FILES = {"app.conf": "1", "src/a.py": "1", "src/b/c.py": "1", "README": "1", "baseline.json": "{}"}


@pytest.mark.parametrize(
    ("lines", "paths"),
    [
        ("COPY src /x/\n", "src/a.py src/b/c.py"),
        ("COPY ./src/ app.conf /x/\n", "app.conf src/a.py src/b/c.py"),
        ('ADD ["app.conf", "/x"]\n', "app.conf"),
        ("COPY s*/*.py *.con? /x/\n", "app.conf src/a.py"),
        ("COPY s*/[^b]* /x/\n", "src/a.py"),
        ("COPY . /x/\n", "README app.conf src/a.py src/b/c.py"),
        ("ARG f=app.conf\nCOPY $f /x/\n", "README app.conf src/a.py src/b/c.py"),
        ("COPY gone app.conf /x/\n", "README app.conf src/a.py src/b/c.py"),
        ("RUN --mount=type=bind,target=/m true\n", "README app.conf src/a.py src/b/c.py"),
        ("COPY --chmod=755 app.conf /x\n", "app.conf"),
        ("COPY app.conf /x\nFROM debian\nCOPY --from=0 /x /README\n", "app.conf"),
    ],
)
def test_what_is_copied_counts_and_nothing_else(folder, lines, paths):
    assert counted(folder(FILES, lines)) == paths.split()


@pytest.mark.parametrize(
    "lines",
    [
        "RUN true\n",
        "ADD https://x.example.org/a.tgz /\n",
        "COPY --from=debian /etc /etc\n",
        "COPY <<EOF /x\nhello\nEOF\n",
        "RUN --mount=type=cache,target=/m true\n",
    ],
)
def test_a_dockerfile_that_copies_nothing_of_its_folder_has_no_digest(folder, lines):
    assert digest(folder(FILES, lines)) == ""


def test_a_change_of_a_file_a_link_or_an_executable_bit_is_another_digest(folder):
    path = folder({**FILES, "link": "->app.conf"})
    top = path.parent
    before = [digest(path)]
    (top / "app.conf").write_text("2")
    before.append(digest(path))
    (top / "app.conf").chmod(0o755)
    before.append(digest(path))
    (top / "link").unlink()
    (top / "link").symlink_to("README")
    before.append(digest(path))
    (top / "README").rename(top / "README.md")
    before.append(digest(path))
    assert len(set(before)) == 5


def test_times_other_modes_and_what_driftscan_writes_there_are_the_same_digest(folder):
    path = folder(FILES)
    before = digest(path)
    os.utime(path.parent / "app.conf", (1, 1))
    (path.parent / "app.conf").chmod(0o600)
    (path.parent / "baseline.json").write_text('{"later": 1}')
    path.write_text(path.read_text() + "# a comment\n")
    assert digest(path) == before


def test_a_pipe_is_not_opened_and_a_link_is_not_followed(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    path = folder({"out": f"->{outside}"})
    os.mkfifo(path.parent / "pipe")
    before = digest(path)
    (outside / "x").write_text("1")
    assert digest(path) == before
    assert counted(path) == ["out", "pipe"]


def test_too_much_and_what_cannot_be_read_is_told(folder, monkeypatch):
    path = folder({f"f{n}": "" for n in range(5)})
    monkeypatch.setattr(context, "_MOST_FILES", 4)
    with pytest.raises(InputError, match="more than 4 files"):
        digest(path)
    monkeypatch.setattr(context, "_MOST_FILES", 100)
    monkeypatch.setattr(context, "_MOST_BYTES", 0)
    (path.parent / "f0").write_text("x")
    with pytest.raises(InputError, match="more than 0 GB are copied"):
        digest(path)


TREE = [
    *("a.md", "b.txt", "README.md", "docs/a.md", "docs/deep/b.md", "docs/deep/c.txt", "temp1"),
    *(
        "src/x.pyc",
        "src/y.py",
        "src/temp2/z",
        "src/temp/z",
        "node_modules/p/q",
        "ex[1]",
        "[",
        "st*r",
    ),
]
# What the engine itself takes: tests/lab/test_context_in_lab.py.
IGNORES = {
    "nothing": "",
    "names": "# comment\n\n  docs  \n/temp1\n",
    "globs": "*/temp*\n*/*/temp*\ntemp?\n",
    "deep": "**/*.md\n",
    "any": "**/temp*\n**/deep\n",
    "but": "*.md\n!README.md\n",
    "order": "*.md\n!README*.md\nREADME-secret.md\n*.txt\n",
    "only": "*\n!src\n",
    "again": "docs\n!docs/deep\ndocs/deep/*.txt\n",
    "below": "docs/**\n",
    "middle": "docs/**/b.md\nsrc/**/z\n",
    "classes": "ex[[]1]\n[ab].*\n",
    "escape": "st\\*r\n\\[\n",
    "steps": "./docs/../src/\n",
    "slash": "src/temp/\n",
    "windows": "docs\r\n*.txt\r\n",
}


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("nothing", ""),
        ("names", "docs/a.md docs/deep/b.md docs/deep/c.txt temp1"),
        ("globs", "src/temp/z src/temp2/z temp1"),
        ("deep", "README.md a.md docs/a.md docs/deep/b.md"),
        ("but", "a.md"),
        ("again", "docs/a.md docs/deep/c.txt"),
        ("steps", "src/temp/z src/temp2/z src/x.pyc src/y.py"),
        ("windows", "b.txt docs/a.md docs/deep/b.md docs/deep/c.txt"),
    ],
)
def test_what_dockerignore_leaves_out_does_not_count(folder, name, out):
    path = folder(dict.fromkeys(TREE, "1"), ignore=IGNORES[name])
    assert sorted(set(TREE) - set(counted(path))) == out.split()


def test_a_dockerignore_of_the_dockerfiles_name_counts_before_the_other(folder):
    path = folder(dict.fromkeys(TREE, "1"), ignore="src\n")
    (path.parent / "Dockerfile.dockerignore").write_text("docs\n")
    assert [name for name in counted(path) if name.startswith("docs")] == []
    assert "src/y.py" in counted(path)
