--- libuv's loop as the host, which waits on the descriptor alone.

local libraries = require "spec.support.libraries"
local process = require "spec.support.shell"

teardown(process.clean)

describe("a host with libuv's loop", function()
	it("runs calls and a lookup beside its own timers, and sleeps while nothing happens", function()
		if not libraries.have("luv") then
			pending("this Lua has no luv")
		end
		local result = process.script(("package.path = %q .. package.path\n"):format(process.root .. "/?.lua;") .. [[
			local uv, silly = require "luv", require "silly"
			local visitor = require "spec.support.visitor"
			local ticks = 0
			local clock, watch = uv.new_timer(), uv.new_poll(assert(silly.fd()))
			clock:start(10, 10, function() ticks = ticks + 1 end)
			watch:start("r", function()
				if not visitor.step() then
					watch:stop()
					clock:stop()
				end
			end)
			visitor.begin(function() return ticks end, function(ms, done)
				uv.new_timer():start(ms, 0, done)
			end)
			uv.run()
			print "the host's loop has ended"
		]])
		assert.same({ status = 0, out = "answered, and idle\nthe host's loop has ended\n", err = "" }, result)
	end)
end)
