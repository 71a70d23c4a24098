"""The table of docs/models.md: which pairs of geometric graphs each architecture can tell apart."""

from schur.testing.gwl_models import SUBJECTS, row, table

print(table(SUBJECTS[:0]))
faults = 0
for subject in SUBJECTS:
    report = subject.report()
    print(row(subject.name, report), flush=True)
    faults += not report.passed
print(f"\n{faults} of {len(SUBJECTS)} models contradict what theory says of them")
