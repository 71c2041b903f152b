# The chip's `esp32` module: its inner temperature, as the original ESP32 offers it.
# Newer chips have mcu_temperature() in degrees Celsius instead.
from virtual import memory, world

if not memory.CHIP.startswith("esp32"):
    raise ImportError("no module named 'esp32'")

if memory.CHIP == "esp32":

    def raw_temperature():
        """Degrees Fahrenheit, whole."""
        world.touch()
        return round(world.temperature_c * 1.8 + 32)

else:

    def mcu_temperature():
        """Degrees Celsius, whole."""
        world.touch()
        return round(world.temperature_c)
