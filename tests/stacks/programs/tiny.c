/* A library of functions that do next to nothing. */
unsigned long tiny_add(unsigned long x) { return x + 1; }
unsigned long tiny_mix(unsigned long x) { return x * 31; }
