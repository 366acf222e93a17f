"""Runs the Action on a machine whose clock stands elsewhere, as a runner's did in another month.

`python -I -S set_back.py SHIFT_NS MAIN PHASE`: the Action itself knows of no other time than its machine's.
"""

import runpy
import sys
import time

if __name__ == "__main__":
    shift_ns, machines = int(sys.argv[1]), time.time_ns
    time.time_ns = lambda: machines() + shift_ns
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
