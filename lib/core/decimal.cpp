#include "core/decimal.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace batchbridge::core {

namespace {

__extension__ using wide = __int128;

constexpr std::array<std::int64_t, 19> powers = [] {
    std::array<std::int64_t, 19> p{};
    p[0] = 1;
    for (std::size_t i = 1; i < p.size(); ++i) p[i] = p[i - 1] * 10;
    return p;
}();

wide power(int n)
{
    wide r = 1;
    for (; n > 18; n -= 18) r *= powers[18];
    return r * powers[static_cast<std::size_t>(n)];
}

bool fits(wide v)
{
    return v <= std::numeric_limits<std::int64_t>::max() && v >= std::numeric_limits<std::int64_t>::min();
}

// Half away from zero; d > 0.
wide divide_rounded(wide n, wide d)
{
    const wide q = n / d, r = n % d;
    const wide twice = (r < 0 ? -r : r) * 2;
    if (twice < d) return q;
    return n < 0 ? q - 1 : q + 1;
}

struct parts {
    std::int64_t mantissa;
    int scale;
};

// Drops trailing zeros; throws when it does not fit.
parts normalise(wide m, int scale)
{
    while (scale > 0 && m % 10 == 0) {
        m /= 10;
        --scale;
    }
    if (!fits(m) || scale > decimal::max_scale) throw std::overflow_error("decimal number out of range");
    return {static_cast<std::int64_t>(m), scale};
}

}  // namespace

decimal decimal::from_scaled(std::int64_t value, int scale)
{
    const auto p = normalise(value, scale);
    decimal d;
    d.mantissa_ = p.mantissa;
    d.scale_ = p.scale;
    return d;
}

std::optional<decimal> decimal::parse(std::string_view text)
{
    std::size_t i = 0;
    const bool negative = !text.empty() && text[0] == '-';
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) ++i;
    wide m = 0;
    int scale = 0, digits = 0;
    bool point = false;
    for (; i < text.size(); ++i) {
        const char c = text[i];
        if (c >= '0' && c <= '9') {
            if (m > power(30)) return std::nullopt;
            m = m * 10 + (c - '0');
            ++digits;
            if (point) ++scale;
        } else if (c == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (digits == 0) return std::nullopt;
    if (i < text.size()) {
        if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
        auto rest = text.substr(i + 1);
        if (rest.size() > 1 && rest[0] == '+' && rest[1] != '-') rest.remove_prefix(1);
        int exponent = 0;
        const auto [end, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), exponent);
        if (ec != std::errc() || end != rest.data() + rest.size() || exponent > 40 || exponent < -60) return std::nullopt;
        scale -= exponent;
    }
    while (scale < 0) {
        if (m > power(30)) return std::nullopt;
        m *= 10;
        ++scale;
    }
    while (scale > 0 && m % 10 == 0) {
        m /= 10;
        --scale;
    }
    if (m == 0) scale = 0;
    if (negative) m = -m;
    if (!fits(m) || scale > max_scale) return std::nullopt;
    decimal d;
    d.mantissa_ = static_cast<std::int64_t>(m);
    d.scale_ = scale;
    return d;
}

std::optional<decimal> decimal::from_double(double value)
{
    if (!std::isfinite(value)) return std::nullopt;
    auto text = fmt::format("{}", value);
    if (auto d = parse(text)) return d;
    // More than 12 digits behind the point are float dust (0.30000000000000004): not a quantity of anybody's.
    if (std::abs(value) >= 1e6) return parse(fmt::format("{:.6f}", value));
    return parse(fmt::format("{:.12f}", value));
}

std::optional<std::int64_t> decimal::to_scaled(int scale) const noexcept
{
    const wide v = scale >= scale_ ? wide(mantissa_) * power(scale - scale_) : divide_rounded(mantissa_, power(scale_ - scale));
    if (!fits(v)) return std::nullopt;
    return static_cast<std::int64_t>(v);
}

decimal decimal::rounded(int places) const
{
    if (places >= scale_) return *this;
    const auto v = to_scaled(places);
    return from_scaled(*v, places);
}

decimal decimal::rounded_to(const decimal& step) const
{
    if (step.mantissa_ <= 0) throw std::invalid_argument("rounding step must be above 0");
    const int s = std::max(scale_, step.scale_);
    const wide n = wide(mantissa_) * power(s - scale_), d = wide(step.mantissa_) * power(s - step.scale_);
    const auto p = normalise(divide_rounded(n, d) * step.mantissa_, step.scale_);
    return from_scaled(p.mantissa, p.scale);
}

decimal decimal::divide(const decimal& a, const decimal& b, int places)
{
    if (b.mantissa_ == 0) throw std::domain_error("division by zero");
    wide n = a.mantissa_, d = b.mantissa_;
    if (d < 0) {
        n = -n;
        d = -d;
    }
    const int shift = places + b.scale_ - a.scale_;
    if (shift >= 0) n *= power(shift);
    else d *= power(-shift);
    const auto p = normalise(divide_rounded(n, d), places);
    return from_scaled(p.mantissa, p.scale);
}

decimal decimal::multiply(const decimal& a, const decimal& b, int places)
{
    const wide exact = wide(a.mantissa_) * b.mantissa_;
    const int scale = a.scale_ + b.scale_;
    const auto p = scale > places ? normalise(divide_rounded(exact, power(scale - places)), places) : normalise(exact, scale);
    return from_scaled(p.mantissa, p.scale);
}

double decimal::to_double() const noexcept
{
    double v = 0;
    const auto text = to_string();
    std::from_chars(text.data(), text.data() + text.size(), v);
    return v;
}

std::string decimal::to_string() const
{
    if (scale_ == 0) return fmt::format("{}", mantissa_);
    const wide m = mantissa_ < 0 ? -wide(mantissa_) : wide(mantissa_);
    const auto unit = power(scale_);
    return fmt::format("{}{}.{:0{}}", mantissa_ < 0 ? "-" : "", static_cast<std::uint64_t>(m / unit), static_cast<std::uint64_t>(m % unit), scale_);
}

std::string decimal::to_string(int places) const
{
    auto text = rounded(places).to_string();
    if (places == 0) return text;
    auto point = text.find('.');
    if (point == std::string::npos) {
        point = text.size();
        text += '.';
    }
    text.append(static_cast<std::size_t>(places) - (text.size() - point - 1), '0');
    return text;
}

decimal decimal::operator-() const
{
    const auto p = normalise(-wide(mantissa_), scale_);
    return from_scaled(p.mantissa, p.scale);
}

decimal operator+(const decimal& a, const decimal& b)
{
    const int s = std::max(a.scale_, b.scale_);
    const auto p = normalise(wide(a.mantissa_) * power(s - a.scale_) + wide(b.mantissa_) * power(s - b.scale_), s);
    return decimal::from_scaled(p.mantissa, p.scale);
}

decimal operator-(const decimal& a, const decimal& b)
{
    const int s = std::max(a.scale_, b.scale_);
    const auto p = normalise(wide(a.mantissa_) * power(s - a.scale_) - wide(b.mantissa_) * power(s - b.scale_), s);
    return decimal::from_scaled(p.mantissa, p.scale);
}

decimal operator*(const decimal& a, const decimal& b)
{
    wide m = wide(a.mantissa_) * b.mantissa_;
    int s = a.scale_ + b.scale_;
    while (s > 0 && m % 10 == 0) {
        m /= 10;
        --s;
    }
    const auto p = normalise(m, s);
    return decimal::from_scaled(p.mantissa, p.scale);
}

std::strong_ordering operator<=>(const decimal& a, const decimal& b) noexcept
{
    const int s = std::max(a.scale_, b.scale_);
    const wide x = wide(a.mantissa_) * power(s - a.scale_), y = wide(b.mantissa_) * power(s - b.scale_);
    return x < y ? std::strong_ordering::less : x > y ? std::strong_ordering::greater : std::strong_ordering::equal;
}

}  // namespace batchbridge::core
