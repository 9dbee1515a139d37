#include "core/csv.hpp"

namespace batchbridge::core {

namespace {

class csv_parser {
public:
    csv_parser(std::string_view text, char separator) : text_(text), separator_(separator) {}

    csv_reading run()
    {
        if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
        while (at_ < text_.size()) {
            if (line_end()) continue;
            if (text_[at_] == '#') skip_line();
            else record();
        }
        return std::move(out_);
    }

private:
    bool done() const { return at_ >= text_.size(); }
    bool at_line_end() const
    {
        return done() || text_[at_] == '\n' || (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
    }

    // Takes a line end if there is one here.
    bool line_end()
    {
        if (done() || !at_line_end()) return false;
        at_ += text_[at_] == '\r' ? 2 : 1;
        ++line_;
        return true;
    }

    void skip_line()
    {
        while (!at_line_end()) ++at_;
        line_end();
    }

    void record()
    {
        csv_record r;
        r.line = line_;
        for (;;) {
            std::string field;
            const char* fault = !done() && text_[at_] == '"' ? quoted(field) : plain(field);
            if (fault != nullptr) {
                out_.faults.push_back({r.line, fault});
                return skip_line();
            }
            r.fields.push_back(std::move(field));
            if (at_line_end()) break;
            ++at_;   // the separator
        }
        line_end();
        out_.records.push_back(std::move(r));
    }

    const char* plain(std::string& field)
    {
        for (; !at_line_end() && text_[at_] != separator_; ++at_) {
            if (text_[at_] == '"') return "a quote stands within a field that is not quoted";
            if (text_[at_] == '\r') return "a carriage return stands alone, expected CRLF or LF";
            if (text_[at_] == '\0') return "a NUL byte: this is no text file";
            field += text_[at_];
        }
        return nullptr;
    }

    const char* quoted(std::string& field)
    {
        for (++at_; !done(); ++at_) {
            if (text_[at_] == '"') {
                const bool doubled = at_ + 1 < text_.size() && text_[at_ + 1] == '"';
                if (!doubled) break;
                ++at_;
            } else if (text_[at_] == '\n') {
                ++line_;
            }
            field += text_[at_];
        }
        if (done()) return "a quoted field does not end";
        ++at_;
        if (!at_line_end() && text_[at_] != separator_) return "something follows the closing quote of a field";
        return nullptr;
    }

    std::string_view text_;
    char separator_;
    std::size_t at_ = 0;
    int line_ = 1;
    csv_reading out_;
};

}  // namespace

csv_reading parse_csv(std::string_view text, char separator)
{
    return csv_parser(text, separator).run();
}

std::string csv_line(const std::vector<std::string>& fields)
{
    std::string out;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i > 0) out += ',';
        const auto& f = fields[i];
        // A first field that begins with '#' would be taken for a comment.
        if (f.find_first_of(",\"\r\n") == std::string::npos && !(i == 0 && f.starts_with('#')) && !(fields.size() == 1 && f.empty())) {
            out += f;
            continue;
        }
        out += '"';
        for (const char c : f) {
            if (c == '"') out += '"';
            out += c;
        }
        out += '"';
    }
    return out + "\r\n";
}

}  // namespace batchbridge::core
