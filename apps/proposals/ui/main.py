"""``streamlit run apps/proposals/ui/main.py``: the proposals app with its upload routes and job worker."""

from streamlit.starlette import App

from apps.proposals.ui.wiring import parts

app = App("page.py", **parts())
