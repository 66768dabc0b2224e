std = "max"
max_line_length = 120
-- Types are not wrapped.
files["lua/zproto.lua"] = { max_line_length = false }
-- Declarations have no bodies.
files["types"] = { unused_args = false }
files["spec"] = { std = "+busted", globals = { "async" } }
-- Vectors are data: their lines are as long as they are.
exclude_files = { "target", "build", "spec/data" }
