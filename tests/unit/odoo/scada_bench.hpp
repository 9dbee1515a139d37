// A client of the plant's module, and its answers, which nobody recorded: they are what design section 7 says.
#pragma once

#include "odoo/scada.hpp"
#include "replay.hpp"

#include <memory>

namespace replay {

struct scada_bench : bench {
    explicit scada_bench(bool leave_unmapped = false) : leave_unmapped_(leave_unmapped) { peer.only_path({}); }
    odoo::scada& client()
    {
        if (!client_) client_ = std::make_unique<odoo::scada>(ioc.get_executor(), options, leave_unmapped_);
        return *client_;
    }
    // Version and login at the module's own endpoint.
    void expect_open()
    {
        peer.expect(recorded("a00"));
        expect_login();
    }
    void expect_login() { peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":{"status":"success","uid":6,"session_id":"abc"}})"); }
    void expect_result(const std::string& result) { peer.expect_body(R"({"jsonrpc":"2.0","id":$ID,"result":)" + result + "}"); }
    // The last request's params.
    const json::object& params() const { return peer.requests().back().at("params").as_object(); }

private:
    bool leave_unmapped_;
    std::unique_ptr<odoo::scada> client_;
};

}  // namespace replay
