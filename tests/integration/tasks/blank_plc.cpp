#include "blank_plc.hpp"

namespace batchbridge::tests {

namespace asio = boost::asio;

namespace {

constexpr std::size_t slots = 10, words_per_slot = 100;

class plc_of_blanks : public plc::device {
public:
    const std::string& name() const override { return name_; }
    bool connected() const override { return true; }
    unsigned connections() const override { return 1; }
    asio::awaitable<void> connect() override { co_return; }
    asio::awaitable<domain::words> read_slot(plc::area, int) override { co_return blank(); }
    asio::awaitable<std::vector<domain::words>> read_all(plc::area) override { co_return std::vector<domain::words>(slots, blank()); }
    asio::awaitable<plc::observation> observe(int, const domain::words&) override { co_return plc::observation{}; }
    asio::awaitable<std::uint16_t> read_ready() override { co_return std::uint16_t{1}; }
    asio::awaitable<void> write_disarmed(const std::vector<domain::words>&) override { return refuse<void>(); }
    asio::awaitable<std::vector<std::string>> verify(const std::vector<domain::words>&) override { return refuse<std::vector<std::string>>(); }
    asio::awaitable<void> arm(const domain::words&) override { return refuse<void>(); }
    asio::awaitable<void> disarm(int) override { return refuse<void>(); }
    asio::awaitable<void> clear_recipes() override { return refuse<void>(); }
    asio::awaitable<bool> acknowledge(int) override { return refuse<bool>(); }
    asio::awaitable<plc::observation> observe_failure(const domain::words&) override { co_return plc::observation{}; }
    asio::awaitable<plc::failure_answer> acknowledge_failure(const domain::words&) override { return refuse<plc::failure_answer>(); }
    void interrupt() noexcept override {}

private:
    static domain::words blank() { return domain::words(words_per_slot, 0); }
    template <class T>
    asio::awaitable<T> refuse()
    {
        throw plc::error(core::error_kind::rejected, "write", name_, "it takes nothing");
        co_return T();
    }
    std::string name_ = "plc blank";
};

}  // namespace

std::unique_ptr<plc::device> blank_plc()
{
    return std::make_unique<plc_of_blanks>();
}

}  // namespace batchbridge::tests
