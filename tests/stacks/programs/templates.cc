// Templates of templates, a virtual call and a lambda: main → Alpha<N>::run →
// beta<T> → lambda → delta<N>.
#include "work.h"
#include <functional>
#include <map>
#include <string>

template <int N> CALL unsigned long delta(unsigned long x) { return churn(x + N); }

template <typename T> CALL unsigned long beta(T &map, unsigned long x) {
    std::function<unsigned long(unsigned long)> call = [&map](unsigned long y) CALL {
        return delta<7>(y) + map.size();
    };
    for (int i = 0; i < 6; i++) x += call(x);
    return x;
}

struct Base {
    virtual unsigned long run(unsigned long x) = 0;
    virtual ~Base() = default;
};

template <int N> struct Alpha : Base {
    std::map<std::string, std::map<int, double>> map;
    CALL unsigned long run(unsigned long x) override { return beta(map, x + N) + N; }
};

int main(int argc, char **argv) {
    double end = now() + limit(argc, argv);
    Base *base = new Alpha<3>;
    unsigned long total = 0;
    do {
        for (int n = 0; n < 64; n++) total += base->run(total);
    } while (now() < end);
    delete base;
    return total == 42;
}
