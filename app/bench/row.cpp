#include "row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace batchbridge::bench {

namespace {

std::string number(const std::optional<double>& v)
{
    return v ? fmt::format("{:.3f}", *v) : "null";
}

}  // namespace

std::string to_json(const row& r)
{
    return fmt::format(R"({{"row":"{}","unit":"{}","ours":{:.3f},"plain":{},"ratio":{},"target":{:.3f},"target_of":"{}","ok":{},"n":{},"disturbed":{}}})", r.name, r.unit, r.ours, number(r.plain),
                       number(r.ratio), r.target, r.by == limited::ratio ? "ratio" : "ours", r.ok, r.n, r.disturbed);
}

double percentile(std::vector<double> values, double percent)
{
    if (values.empty()) throw std::invalid_argument("no measurements");
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

double median(std::vector<double> values)
{
    if (values.empty()) throw std::invalid_argument("no measurements");
    std::sort(values.begin(), values.end());
    const auto half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

row compared(std::string name, const std::vector<double>& ours, const std::vector<double>& plain, double target)
{
    row r;
    r.name = std::move(name);
    r.unit = "us";
    r.ours = median(ours);
    r.plain = median(plain);
    r.ratio = r.ours / *r.plain;
    r.target = target;
    r.ok = *r.ratio <= target;
    r.n = ours.size();
    return r;
}

}  // namespace batchbridge::bench
