--- The faults: what goes wrong in real life, injected into the processes of the stage. Each function
--- is given the stage, the server that it may do its worst to, and chance; it ends once the fault has
--- been taken back.

local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"
local strangers = require "soak.strangers"

--- Milliseconds that a server stays away, or still, at most.
local AWAY, STILL = 300, 1500

--- Milliseconds until a server has taken all its descriptors.
local TAKING = 50

--- Milliseconds that an order may take: longer than all that the load asks on it.
local ORDER = 10000

--- A fault that the load brings about when ordered to.
local function ordered(order)
	return function(stage)
		local done, why = stage.load:order(order, ORDER)
		if not done then
			stage:fail(("the load did not carry out '%s': %s"):format(order, why))
		end
	end
end

--- A fault that strangers bring about.
local function stranger(act)
	return function(stage, server, roll)
		act(server.addr, roll)
		stage:recover(server)
	end
end

--- {kind, in the words of the table; what brings it about}
return {
	{
		"a server killed (-9) and restarted",
		function(stage, server, roll)
			stage:recover(server) -- else nobody would know that it had died by itself
			stage:kill(server)
			time.sleep(roll(AWAY))
			stage:start(server)
		end,
	},
	{
		"a server stopped (SIGSTOP) and continued",
		function(stage, server, roll)
			server.child:signal("STOP")
			time.sleep(roll(STILL))
			server.child:signal("CONT")
			stage:recover(server)
		end,
	},
	{
		"a server without descriptors, under new connections",
		function(stage, server)
			local both = waitgroup.new()
			both:fork(function()
				if not server:order("exhaust", ORDER) then
					stage:fail(server.name .. " could not use up its descriptors")
				end
			end)
			time.sleep(TAKING)
			strangers.visit(server.addr)
			both:wait()
			stage:recover(server)
		end,
	},
	{ "peers that never read", stranger(strangers.deaf) },
	{ "hostile connections", stranger(strangers.hostile) },
	{ "a connect storm", stranger(strangers.storm) },
	{ "handlers slower than the deadline", ordered("slow") },
	{ "large bodies", ordered("large") },
	{ "handlers that call back", ordered("back") },
	{ "connections closed in use and made anew", ordered("reconnect") },
}
