"""One look for all pictures: readable in grey, by colour-blind eyes, and at print size.

Nothing is told by colour alone: series differ in marker, line or place as well."""
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

BLUE, ORANGE, GREEN, BLACK, GREY = "#0072b2", "#d55e00", "#009e73", "black", "0.55"
SERIES = [(BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", ":"), (BLACK, "D", "-."), (GREY, "v", "-")]
WIDTH = 6.8  # inches: a printed column
DPI = 130

plt.rcParams.update({
    "font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left", "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "0.9", "axes.axisbelow": True,
    "text.parse_math": False,  # names of runs may have a $
    "figure.dpi": DPI, "savefig.dpi": DPI, "legend.frameon": False, "image.cmap": "cividis"})


def figure(height=3.0, columns=1, rows=1, **options):
    return plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained", **options)


def close(drawn):
    plt.close(drawn)
