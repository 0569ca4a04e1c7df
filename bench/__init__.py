"""One command per figure we claim: ``python -m bench`` lists them. Figures are ratios against something run at the same time."""
