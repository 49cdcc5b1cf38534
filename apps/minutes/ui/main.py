"""``streamlit run apps/minutes/ui/main.py``: the minutes app with its upload routes, audio and job worker."""

from streamlit.starlette import App

from apps.minutes.ui.wiring import parts

app = App("page.py", **parts())
