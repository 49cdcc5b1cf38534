"""Trains the taggers of ``apps.common.tagging`` from labelled texts.

python -m tuning.tagging check  acts|roles     are the files well formed, and what do they hold
python -m tuning.tagging judge  acts|roles     cross-validation over whole texts
python -m tuning.tagging train  acts|roles     write the weights
"""
