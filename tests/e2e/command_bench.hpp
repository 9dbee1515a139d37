// The program's commands as a person or a container starts them: exit code, what is said where, no secret.
#pragma once

#include "e2e/expect.hpp"

#include <fstream>
#include <iterator>

namespace bb_test {

using environment = std::map<std::string, std::string>;

struct outcome {
    int code = 0;
    std::string out, err;
};

inline constexpr const char *db_secret = "db-secret-1", *odoo_secret = "odoo-secret-2", *token_secret = "token-secret-3", *key_secret = "key-secret-4";

inline std::string read_text(const std::string& path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// A plant whose secrets can be told apart, and its program's commands. batchbridge itself is not started.
struct command_bench {
    explicit command_bench(plant_options o = {}) : p(with_secrets(std::move(o))), env(p.environment())
    {
        auto& url = env["DATABASE_URL"];
        url.replace(url.find("//test@"), 7, std::string("//test:") + db_secret + "@");
    }

    static plant_options with_secrets(plant_options o)
    {
        o.odoo_arguments = {"--password", odoo_secret};
        o.environment["ODOO_PASSWORD"] = odoo_secret;
        o.environment["API_TOKEN"] = token_secret;
        return o;
    }

    // `changes` as for plant::start_bridge: an empty value removes a variable.
    outcome run(std::vector<std::string> arguments, const environment& changes = {})
    {
        auto e = env;
        for (const auto& [name, value] : changes) e[name] = value;
        std::erase_if(e, [](const auto& v) { return v.second.empty(); });
        const auto n = std::to_string(++runs);
        const auto out = p.directory() + "/out." + n, err = p.directory() + "/err." + n;
        std::vector<std::string> shell{"-c", "cd " BATCHBRIDGE_ROOT " && exec \"$0\" \"$@\" 2>" + err, BATCHBRIDGE_BIN "/batchbridge"};
        shell.insert(shell.end(), arguments.begin(), arguments.end());
        program child("/bin/sh", shell, e, out);
        outcome o;
        o.code = child.wait(seconds(30));
        o.out = child.output();
        o.err = read_text(err);
        UNSCOPED_INFO("batchbridge " << (arguments.empty() ? "" : arguments[0]) << ": exit code " << o.code << "\n" << o.out << o.err);
        for (const auto* secret : {db_secret, odoo_secret, token_secret, key_secret}) {
            CHECK_THAT(o.out, !Catch::Contains(secret));
            CHECK_THAT(o.err, !Catch::Contains(secret));
        }
        return o;
    }

    std::string file(const std::string& name, const std::string& text)
    {
        const auto path = p.directory() + "/" + name;
        std::ofstream(path) << text;
        return path;
    }

    plant p;
    environment env;
    int runs = 0;
};

// The line of `text` that begins with `start`.
inline std::string line_of(const std::string& text, const std::string& start)
{
    const auto at = text.rfind("\n" + start) == std::string::npos ? (text.rfind(start, 0) == 0 ? 0 : std::string::npos) : text.rfind("\n" + start) + 1;
    return at == std::string::npos ? std::string() : text.substr(at, text.find('\n', at) - at);
}

}  // namespace bb_test
