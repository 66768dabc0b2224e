--- Rust programs that specs use.

local shell = require "spec.support.shell"

local rust = {}

local function line_of(command)
	local pipe = assert(io.popen(("cd '%s' && %s"):format(shell.root, command)))
	local line = pipe:read("*l")
	pipe:close()
	return line
end

--- Builds an example of Cargo.toml that the library is set beside as the library is, which takes half a minute
--- the first time: the program's path.
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

--- The same for one whose speed is of no matter, as the tests of Rust have built it already.
function rust.tool(name)
	local built = line_of("cargo build --locked --quiet --example " .. name .. " && echo yes")
	assert(built == "yes", "cargo could not build " .. name)
	return line_of("realpath ${CARGO_TARGET_DIR:-target}/debug/examples/" .. name)
end

return rust
