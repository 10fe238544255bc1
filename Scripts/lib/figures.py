"""Prints the lines `figure | NAME | VALUE` of logs as a table. Values "A of B" of one name are added up; of others each is shown."""
import re
import sys

figures = {}
for path in sys.argv[1:]:
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            parts = [part.strip() for part in line.rstrip("\n").split("|", 2)]
            if len(parts) == 3 and parts[0] == "figure":
                figures.setdefault(parts[1], []).append(parts[2])
if not figures:
    sys.exit("no figure was measured")


def total(values):
    shares = [re.fullmatch(r"(\d+) of (\d+)", value) for value in values]
    if all(shares):
        return "%d of %d" % tuple(sum(int(share[group]) for share in shares) for group in (1, 2))
    return "; ".join(dict.fromkeys(values))


print("| figure | measured |")
print("|---|---|")
for name in sorted(figures):
    print("| %s | %s |" % (name, total(figures[name])))
