/* Loads plugins while it runs: main → alpha → the plugin. The second is loaded
   beside the first; the third, which is larger, takes the place of both. */
#include "work.h"
#include <dlfcn.h>

typedef unsigned long enter_t(double);

CALL unsigned long alpha(enter_t *enter, double seconds) { return enter(seconds) + 1; }

static void *load(const char *path) {
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin) exit(3);
    return plugin;
}

int main(int argc, char **argv) {
    double part = limit(argc, argv) / 3;
    unsigned long total = 0;
    void *one = load(argv[2]);
    total += alpha((enter_t *)dlsym(one, "enter"), part);
    void *two = load(argv[3]);
    total += alpha((enter_t *)dlsym(two, "enter"), part);
    dlclose(one);
    dlclose(two);
    void *three = load(argv[4]);
    total += alpha((enter_t *)dlsym(three, "enter"), part);
    return total == 42;
}
