"""The manual pages of Linux as free text: what each says of itself in a line, and what its description says."""
import gzip
import pathlib
import re
import subprocess
import sys

PACKAGES = ["manpages", "manpages-dev"]
LONGEST = 4000


def fetch(directory):
    """The pages of Debian's packages, downloaded and unpacked to a directory unless they are there."""
    root = directory / "usr" / "share" / "man"
    if not root.exists():
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=directory, check=True)
        for package in directory.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=directory, check=True)
    return root


def plain(line):
    """A line of roff as it is read."""
    if line.startswith((".", "'")):
        macro, _, rest = line[1:].partition(" ")
        # Macros that set their words in other type; all others say how, not what.
        if macro not in {"B", "I", "BR", "BI", "IR", "IB", "RB", "RI", "SM", "SB"}:
            return ""
        words = re.findall(r'"([^"]*)"|(\S+)', rest)
        line = ("" if len(macro) == 2 and macro not in {"SM", "SB"} else " ").join(quoted or word for quoted, word in words)
    line = re.sub(r'\\f(\(..|\[[^]]*\]|.)|\\s[-+]?\d|\\[&/,|^:%]|\\".*', "", line)
    line = re.sub(r"\\\((..)|\\\[([^]]*)\]", lambda match: {"em": "-", "en": "-", "aq": "'", "dq": '"'}.get(match[1] or match[2], ""), line)
    return line.replace("\\-", "-").replace("\\e", "\\").replace("\\ ", " ").replace("\\(", "(")


def read(path):
    """The summary and the description of a page; None if it has not both."""
    sections, section, shown = {}, None, True
    for line in gzip.open(path, "rt", errors="replace"):
        line = line.rstrip("\n")
        if line.startswith(".SH"):
            section = line[3:].strip().strip('"')
        elif line.startswith((".nf", ".EX")):
            shown = False
        elif line.startswith((".fi", ".EE")):
            shown = True
        elif section and shown and not line.startswith('.\\"'):
            sections.setdefault(section, []).append(plain(line))
    text = {name: " ".join(" ".join(lines).split()) for name, lines in sections.items()}
    _, dash, summary = text.get("NAME", "").partition(" - ")
    description = text.get("DESCRIPTION", "")[:LONGEST]
    if not dash or len(summary.split()) < 3 or len(description.split()) < 20:
        return None
    return summary, description


def pages(directory):
    """Name, summary and description of each page, in order of names; of those with one description, and of those with one summary, the
    first."""
    seen = set()
    for path in sorted(fetch(directory).glob("man*/*.gz"), key=lambda path: path.name):
        # What another page is said to be is a link to it.
        page = None if path.is_symlink() else read(path)
        if page and seen.isdisjoint(page):
            seen.update(page)
            yield path.name[:-3], *page


if __name__ == "__main__":
    for name, summary, description in pages(pathlib.Path(sys.argv[1])):
        print(f"{name}: {summary}: {description[:80]}")
