// Command kstatus asks the libraries of GitOps tools what they make of objects: `make kstatus`.
//
// It reads a JSON array from stdin and writes one of the same length to stdout:
//
//	kstatus status            objects -> what Flux's kstatus computes of each
//	kstatus health SCRIPT     objects -> what a health check in Lua returns, run as Argo CD runs it
//	kstatus discover SCRIPT   objects -> the resource actions that a discovery script offers
//	kstatus act SCRIPT        objects -> the objects as a resource action leaves them
//	kstatus express SCRIPT    objects -> what a Kustomization of Flux makes of each by an entry of healthCheckExprs, as JSON
//	kstatus predict           {applied, source, live} -> live as it would be after another sync
//
// The last is the three-way comparison of Argo CD (and of client-side kubectl apply) for custom resources: where its
// answer is not `live`, Argo CD says OutOfSync.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	answer, err := answerer(arguments)
	if err != nil {
		return err
	}
	var questions []json.RawMessage
	if err := json.NewDecoder(in).Decode(&questions); err != nil {
		return fmt.Errorf("stdin is no JSON array: %w", err)
	}
	answers := make([]any, 0, len(questions))
	for _, question := range questions {
		found, err := answer(question)
		if err != nil {
			return err
		}
		answers = append(answers, found)
	}
	return json.NewEncoder(out).Encode(answers)
}

func answerer(arguments []string) (func([]byte) (any, error), error) {
	switch {
	case len(arguments) == 1 && arguments[0] == "status":
		return compute, nil
	case len(arguments) == 1 && arguments[0] == "predict":
		return predict, nil
	case len(arguments) == 2:
		script, err := os.ReadFile(arguments[1])
		if err != nil {
			return nil, err
		}
		if ask, known := scripted[arguments[0]]; known {
			return func(question []byte) (any, error) { return ask(string(script), question) }, nil
		}
	}
	return nil, fmt.Errorf("usage: kstatus status|predict, or kstatus health|discover|act|express SCRIPT")
}

func compute(question []byte) (any, error) {
	object, err := parse(question)
	if err != nil {
		return nil, err
	}
	result, err := status.Compute(object)
	if err != nil {
		return nil, err
	}
	return verdict{result.Status.String(), result.Message}, nil
}

// parse reads an object as client-go does: whole numbers become int64.
func parse(text []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	return object, nil
}
