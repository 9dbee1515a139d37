// Which requests a PLC left without an answer. A PLC that answers one kind of request and lets another time out, cycle for
// cycle, is away the whole time: it is not back because the next read succeeds. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>

namespace batchbridge::plc {

class unanswered {
public:
    using time_point = std::chrono::steady_clock::time_point;
    // What is not asked again any more says nothing after this time: longer than the longest pause between two tries of a task.
    static constexpr std::chrono::minutes memory{2};

    void failed(int function, int address, time_point now) { open_[{function, address}] = now; }
    void answered(int function, int address)
    {
        ++answers_;
        open_.erase({function, address});
    }
    std::uint64_t answers() const noexcept { return answers_; }
    bool empty(time_point now)
    {
        std::erase_if(open_, [now](const auto& e) { return now - e.second >= memory; });
        return open_.empty();
    }

private:
    std::map<std::pair<int, int>, time_point> open_;
    std::uint64_t answers_ = 0;
};

}  // namespace batchbridge::plc
