// One line of the result, and the arithmetic behind its figures.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::bench {

// What the target limits: the ratio to the plain figure, or our own figure.
enum class limited { ratio, ours };

struct row {
    std::string name, unit;
    double ours = 0;
    std::optional<double> plain, ratio;   // none: there is nothing to compare with, only a limit
    double target = 0;
    limited by = limited::ratio;
    bool ok = false;
    std::size_t n = 0;                    // measurements behind the figure
    bool disturbed = false;               // the plain figure is bad for reasons of its own: the verdict means little
};

std::string to_json(const row& r);

// Both throw std::invalid_argument for no values.
double median(std::vector<double> values);
// The smallest value that `percent` of all values do not exceed (nearest rank).
double percentile(std::vector<double> values, double percent);

// A row of two ways to do the same, from measurements taken in turn, in microseconds.
row compared(std::string name, const std::vector<double>& ours, const std::vector<double>& plain, double target);

inline double microseconds(std::chrono::steady_clock::duration d)
{
    return std::chrono::duration<double, std::micro>(d).count();
}

}  // namespace batchbridge::bench
