# Writes the schema of the replay's hot path: the same fields and numbers, so the same bytes, with
# - only the messages and enumerations named in `keep`;
# - strings as bytes, so that a reader in C gets their length;
# - messages that are not kept left as the bytes they are, in a field named <field>_message.
BEGIN {
    count = split(keep, names, " ")
    for (i = 1; i <= count; i++) kept[names[i]] = 1
    print "// Written by proto/generate.sh from the schemas beside it."
    print "syntax = \"proto3\";\n\npackage plant;"
}
/^ *\/\// || NF == 0 { next }
/^(message|enum) / {
    inside = ($2 in kept)
    if (inside) { found[$2] = 1; print "" }
}
inside {
    line = $0
    type = $1 == "repeated" ? $2 : $1
    if (line ~ /;$/ && $1 !~ /^[A-Z_0-9]+$/) {
        if (type == "string") sub(/string/, "bytes", line)
        else if (type ~ /^[A-Z]/ && type != "Event" && !(type in kept)) {
            sub(type, "bytes", line)
            sub(/ = /, "_message = ", line)
        }
    }
    print line
    depth += gsub(/\{/, "{") - gsub(/\}/, "}")
    if (depth == 0) inside = 0
}
END {
    for (i = 1; i <= count; i++)
        if (!(names[i] in found)) {
            print "proto/hot.awk: no message or enumeration " names[i] > "/dev/stderr"
            exit 1
        }
}
