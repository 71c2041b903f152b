# What the shadow modules stand on: the board's memory, its meters and loads, its control channel.
