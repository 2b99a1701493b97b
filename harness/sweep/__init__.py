"""The sweep: one measuring protocol for all backends, resumable after every batch.

``cells`` and ``order`` say what is measured and when; ``bench`` is the instrument, ``executor`` who works it;
``run`` goes through the passes; ``store`` keeps every finished batch; ``tally`` adds them up; ``precision``,
``sentinels``, ``verification`` and ``device_offsets`` judge them; ``collect`` makes the cube, ``estimate`` says
beforehand what it will take.
"""
