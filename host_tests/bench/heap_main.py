"""main.py of the board whose heap is measured: the same few lines as the real one need, and
what the driver, loaded beside the firmware, takes for itself."""

import gc

gc.collect()
before = gc.mem_alloc()
import heap_driver  # noqa: E402

gc.collect()
heap_driver.run(gc.mem_alloc() - before)
