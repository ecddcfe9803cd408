"""Figures: data (`figure`), drawn as SVG (`svg`), for plotly (`plotly_json`) and in HTML pages (`figure_html`)."""
