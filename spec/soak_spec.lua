--- The soak itself, for a few seconds, so that it is there when it is needed.

local certificates = require "spec.support.certificates"
local shell = require "spec.support.shell"

teardown(shell.clean)

--- Runs the mix from the checkout, where it finds its modules; `before` stands before the command.
local function soak(arguments, before)
	return shell.command(("sh -c \"cd '%s' && exec %s bin/silly soak/run.lua %s\""):format(
		shell.root, before or "", arguments), nil, "LUA=" .. shell.lua, 60)
end

describe("the soak", function()
	for what, environment in pairs({
		["in generation 1"] = "SOAK_WIRE=1",
		["in generation 2"] = "SOAK_WIRE=2",
		["with TLS"] = ("SOAK_CERTIFICATES='%s'"):format(certificates.path("")),
	}) do
		it("keeps all promises under every kind of fault, and says so, " .. what, function()
			local result = soak("4 1", "env " .. environment)
			assert.equal(0, result.status, result.out .. result.err)
			assert.equal("", result.err)
			assert.matches("soak: 4 s, seed 1, ", result.out)
			assert.matches("\n +%d+ s  calls [%d,]+  faults %d+  failures 0  MiB: server 1 ", result.out)
			for _, kind in ipairs { "lost", "repeated", "mismatched", "hung" } do
				assert.matches("\n| " .. kind .. " | 0 |\n", result.out, 1, true)
			end
			assert.matches("\n| answered | [1-9]", result.out)
			assert.matches("\n| during faults | [1-9]", result.out)
		end)
	end

	it("ends with its table when it is interrupted", function()
		-- As Ctrl-C does, this tells all processes, and the first one twice.
		local result = soak("60 1", "timeout --preserve-status -s INT 2")
		assert.equal(0, result.status, result.out .. result.err)
		assert.matches("soak: ending", result.out)
		assert.matches("\n| hung | 0 |\n", result.out, 1, true)
	end)
end)
