--- Two hosts with a router between them, each a network namespace of this machine, so that a link can
--- be cut as a pulled cable does it: nothing arrives any more, and nobody is told. Needs root.

local shell = require "spec.support.shell"
local silly = require "silly"

local namespace = {}

local Network = {}
Network.__index = Network

--- Runs shell commands: true, or nil and what they said.
local function run(commands)
	shell.write("commands", commands)
	local result = shell.command("sh -e commands 2>&1")
	if result.status == 0 then
		return true
	end
	return nil, result.out
end

--- The hosts' addresses.
namespace.NEAR, namespace.FAR = "10.0.1.1", "10.0.2.1"

local made = 0

--- Makes the two hosts, "near" and "far"; nil and why not where that cannot be done. In CI that is an
--- error: there nothing is skipped.
function namespace.open()
	made = made + 1
	local name = ("silly-%d-%d"):format(silly.pid, made)
	local network = setmetatable({ name = name }, Network)
	local ok, why = run(([[
for host in near router far; do
	ip netns add NAME-$host
	ip -n NAME-$host link set lo up
done
for host in near:1 far:2; do
	net=${host#*:} host=NAME-${host%:*}
	ip link add wire netns $host type veth peer name wire$net netns NAME-router
	ip -n $host addr add 10.0.$net.1/24 dev wire
	ip -n NAME-router addr add 10.0.$net.254/24 dev wire$net
	ip -n $host link set wire up
	ip -n NAME-router link set wire$net up
	ip -n $host route add default via 10.0.$net.254
done
]]):gsub("NAME", name) .. network:forward(1))
	if not ok then
		network:close()
		assert(not os.getenv("CI"), why)
		return nil, why
	end
	return network
end

--- A shell command that has the router pass packets on, or drop them without a word.
function Network:forward(value)
	return ("ip netns exec %s-router sh -c 'echo %d >/proc/sys/net/ipv4/ip_forward'"):format(self.name, value)
end

--- A shell command that runs another one on a host.
function Network:on(host, command)
	return ("ip netns exec %s-%s %s"):format(self.name, host, command)
end

--- Starts a script on a host and returns while it runs; see shell.start.
function Network:start(host, script)
	return shell.start(script, { command = self:on(host, shell.lua), stderr = shell.dir .. "/err-" .. host })
end

--- Removes everything.
function Network:close()
	run(("for host in near router far; do ip netns del %s-$host || true; done"):format(self.name))
end

return namespace
