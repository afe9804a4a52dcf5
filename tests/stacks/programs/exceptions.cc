// main → alpha → beta → delta, which throws now and then. Time is spent before,
// in destructors while the stack is unwound (beta → cleanup), and in the
// handler (alpha → handle), which is left by a second exception now and then.
#include "work.h"
#include <stdexcept>

struct Guard {
    unsigned long *value;
    ~Guard();
};

extern "C" {
CALL unsigned long cleanup(unsigned long x) { return churn(churn(x)); }
CALL unsigned long handle(unsigned long x) { return churn(churn(x)); }

CALL unsigned long delta(unsigned long x) {
    x = churn(x);
    if (x % 3 == 0) throw std::runtime_error("every third");
    return x;
}

CALL unsigned long beta(unsigned long x) {
    unsigned long value = x;
    Guard guard{&value};
    return delta(x) + value;
}

CALL unsigned long alpha(unsigned long x) {
    for (int i = 0; i < 8; i++) {
        try {
            x += beta(x + i);
        } catch (const std::exception &error) {
            x = handle(x + error.what()[0]);
        }
    }
    return x;
}
}

inline Guard::~Guard() { *value = cleanup(*value); }

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    unsigned long total = 0;
    UNTIL(end, alpha);
    return total == 42;
}
