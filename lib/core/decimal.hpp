// Exact decimal numbers for kilograms and Odoo quantities: no binary floating point between Odoo, the database and the PLC.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace batchbridge::core {

// mantissa * 10^-scale with scale 0..12, always normalised (no trailing zero digits behind the point).
// Arithmetic is exact; a result that does not fit 64 bits throws std::overflow_error.
class decimal {
public:
    static constexpr int max_scale = 12;

    constexpr decimal() = default;
    // Whole numbers; implicit, so that `x > 0` reads as it should.
    constexpr decimal(int whole) : mantissa_(whole) {}  // NOLINT(google-explicit-constructor)

    // Digits with an optional sign, point and exponent ("-12.50", "1e3", "0.45359237"). nullopt for anything else,
    // for more than 12 digits behind the point, and for what does not fit.
    static std::optional<decimal> parse(std::string_view text);
    // The shortest decimal that reads back as this double (0.1 is 0.1); nullopt for NaN, infinities and what does not fit.
    static std::optional<decimal> from_double(double value);
    // 100000, 2 -> 1000.00
    static decimal from_scaled(std::int64_t value, int scale);

    // value * 10^scale rounded half away from zero; nullopt when it does not fit 64 bits.
    std::optional<std::int64_t> to_scaled(int scale) const noexcept;
    // Rounded half away from zero to `places` digits behind the point.
    decimal rounded(int places) const;
    // Rounded half away from zero to a multiple of `step` (step > 0), as Odoo's float_round does.
    decimal rounded_to(const decimal& step) const;
    // a / b with `places` digits behind the point, half away from zero. b != 0.
    static decimal divide(const decimal& a, const decimal& b, int places);
    // a * b with `places` digits behind the point, half away from zero: for factors whose exact product has more than 12.
    static decimal multiply(const decimal& a, const decimal& b, int places);

    bool is_zero() const noexcept { return mantissa_ == 0; }
    bool is_negative() const noexcept { return mantissa_ < 0; }
    decimal abs() const { return is_negative() ? -*this : *this; }
    double to_double() const noexcept;
    // Without trailing zeros: "0", "12.5", "-0.05".
    std::string to_string() const;
    // With exactly `places` digits, rounded: "12.50".
    std::string to_string(int places) const;

    decimal operator-() const;
    friend decimal operator+(const decimal& a, const decimal& b);
    friend decimal operator-(const decimal& a, const decimal& b);
    friend decimal operator*(const decimal& a, const decimal& b);
    decimal& operator+=(const decimal& b) { return *this = *this + b; }
    decimal& operator-=(const decimal& b) { return *this = *this - b; }
    friend bool operator==(const decimal&, const decimal&) = default;
    friend std::strong_ordering operator<=>(const decimal& a, const decimal& b) noexcept;

private:
    std::int64_t mantissa_ = 0;
    int scale_ = 0;
};

}  // namespace batchbridge::core
