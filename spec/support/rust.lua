--- Rust programs that the library is set beside, built as it is.

local shell = require "spec.support.shell"

local rust = {}

local function line_of(command)
	local pipe = assert(io.popen(("cd '%s' && %s"):format(shell.root, command)))
	local line = pipe:read("*l")
	pipe:close()
	return line
end

--- Builds an example of Cargo.toml, which takes half a minute the first time: the program's path.
function rust.example(name)
	-- With the features of the library, so that what both stand on is built once.
	local built = line_of(
		("cargo build --release --locked --quiet --features $(tools/feature %s) --example %s && echo yes"):format(
			shell.lua, name
		)
	)
	assert(built == "yes", "cargo could not build " .. name)
	return line_of("realpath ${CARGO_TARGET_DIR:-target}/release/examples/" .. name)
end

return rust
