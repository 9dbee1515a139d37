// No recording is forgotten: each file is replayed by a test of this directory, or it is said here why not.
#include "recordings.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

using namespace batchbridge::tests;

namespace {

const char* const backorder = "we never ask for a backorder: the rest of an order is dropped";
const char* const lots = "lots are not simulated: a plant whose components are tracked by lot is out of scope";
const char* const administrator = "an administrator's or planner's call, not ours";
const char* const other_model = "a model that we never read";
const char* const other_way = "another way to do what we do with one call; we never use it";

const std::map<std::string, const char*> not_replayed_18{
    {"a20", "the user makes its API key in the web client, by hand"},
    {"b01", other_way},
    {"d05", backorder},
    {"d08", lots},
    {"e07", administrator},
    {"j01", "the wizard method that we must not use"},
    {"j03", "needs a record of configuration; we do without"},
};

const std::map<std::string, const char*> not_replayed_19{
    {"d_less_with_backorder", backorder},
    {"d_less_with_backorder_no_skip_redirection", backorder},
    {"d_less_with_backorder_orders", backorder},
    {"d_lot_create", lots},
    {"d_lot_producing_write", lots},
    {"d_lot_tracked_more_than_reserved", lots},
    {"d_lot_tracked_no_stock", lots},
    {"d_lot_tracked_reserved", lots},
    {"f_planner_changes_quantity", administrator},
    {"g_request_fields", "we do not ask what fields there are"},
    {"h_access_error_write_bom", other_model},
    {"h_not_null_create", "we never create orders"},
    {"h_validation_create_qty0", "we never create orders"},
    {"h_read_password", "we never read passwords"},
    {"k_create_mo_by_middleware_user", "we never create orders"},
    {"k_modules_installed", other_model},
    {"k_uoms", "the whole list of units; we ask for ours by name (k90)"},
};

// Everything that the other tests of this directory say in quotes.
std::set<std::string> quoted()
{
    std::set<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(ODOO_SIM_TESTS)) {
        const auto name = entry.path().filename().string();
        if (!name.ends_with("_test.cpp") || name == "recordings_list_test.cpp") continue;
        std::ifstream in(entry.path());
        const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 1)) {
            const auto end = text.find('"', at + 1);
            if (end != std::string::npos && end - at < 60) out.insert(text.substr(at + 1, end - at - 1));
        }
    }
    return out;
}

void check(const std::vector<std::string>& files, const std::map<std::string, const char*>& reasons, bool prefix_only)
{
    const auto named = quoted();
    std::set<std::string> unused;
    for (const auto& [name, why] : reasons) unused.insert(name);
    for (const auto& file : files) {
        const auto name = prefix_only ? file.substr(0, file.find('_')) : file;
        CAPTURE(file);
        const bool replayed = named.contains(name), excused = reasons.contains(name);
        CHECK(replayed != excused);
        unused.erase(name);
    }
    CHECK(unused == std::set<std::string>{});
}

}  // namespace

TEST_CASE("every recording of 18 is replayed or it is said why not")
{
    CHECK(recordings_18().size() == 99);
    check(recordings_18(), not_replayed_18, true);
}

TEST_CASE("every recording of 19 is replayed or it is said why not")
{
    CHECK(recordings_19().size() == 175);
    check(recordings_19(), not_replayed_19, false);
}
