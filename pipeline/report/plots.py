"""What all charts share: colours, type, tips.

They are drawn in the light palette; in the dark scheme the page exchanges each colour for its partner.
"""

from typing import Any

Chart = Any  # a bokeh.plotting.figure, whose types do not say which ranges and tickers it has

INK, MUTED, LINE, PAPER = "#1d2023", "#5b6068", "#dedbd4", "#fcfbf9"
KEPT, REJECTED, ACCENT = "#2c7a57", "#b04a22", "#2f62b5"
DARK = {
    INK: "#e9e7e3", MUTED: "#a7acb5", LINE: "#373b42", PAPER: "#17191c",
    KEPT: "#6cc29a", REJECTED: "#ea9069", ACCENT: "#8fb6f7",
}  # fmt: skip
# Of clusters; each can be told from the paper of both schemes.
CLUSTERS = (
    "#4c83d6", "#e0852b", "#3f9f6b", "#d1504f", "#8a6fd0", "#a8793f", "#d36fae", "#7d858f", "#a5a425", "#2aa3b5",
    "#b06a62", "#5f9132",
)  # fmt: skip
FONT = "system-ui, -apple-system, Segoe UI, sans-serif"


def plot(x_title: str, y_title: str, height: int = 260) -> Chart:
    from bokeh.models import NumeralTickFormatter
    from bokeh.plotting import figure

    chart: Chart = figure(height=height, sizing_mode="stretch_width", tools="", toolbar_location=None)
    chart.toolbar.active_drag = None
    chart.background_fill_alpha = chart.border_fill_alpha = 0
    chart.outline_line_color = None
    chart.min_border_right = 12
    for axis, title in ((chart.xaxis, x_title), (chart.yaxis, y_title)):
        axis.axis_label = title or None
        axis.axis_line_color = axis.major_tick_line_color = LINE
        axis.minor_tick_line_color = None
        axis.axis_label_text_color = axis.major_label_text_color = MUTED
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
        axis.axis_label_text_font_style = "normal"
        axis.formatter = NumeralTickFormatter(format="0,0.[00]")
    chart.xgrid.grid_line_color = None
    chart.ygrid.grid_line_color = LINE
    chart.xaxis.ticker.desired_num_ticks = chart.yaxis.ticker.desired_num_ticks = 5
    return chart


def hover(chart: Chart, tips: Any, marks: Any, mode: Any) -> Any:
    from bokeh.models import HoverTool

    tool = HoverTool(tooltips=tips, renderers=marks if isinstance(marks, list) else [marks], mode=mode)
    chart.add_tools(tool)
    return tool


def legend_above(chart: Chart) -> None:
    """Above the chart, where it hides nothing."""
    chart.legend.label_text_font, chart.legend.label_text_font_size = FONT, "13px"
    chart.legend.label_text_color = INK
    chart.legend.background_fill_alpha, chart.legend.border_line_alpha = 0, 0
    chart.legend.orientation, chart.legend.margin, chart.legend.padding = "horizontal", 0, 4
    chart.legend.spacing = 14
    chart.add_layout(chart.legend[0], "above")
