"""The model engine: the arithmetic of a storm alone, for herds that no one machine can hold."""
