// The scenario with the clients of openapi-generator.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	first "example.com/bucketlist/client-v1"
	second "example.com/bucketlist/client-v2"
)

const password = "harbour-lantern-42"

var (
	names  = []string{"Oslo", "Lisbon", "Zürich", "Kyoto", "Quito"}
	things = []string{"Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea"}
)

// Returns an unused email address.
func email(who string) string {
	return fmt.Sprintf("%s-%d-%d@example.com", who, time.Now().UnixNano(), os.Getpid())
}

// Exits if there is an error.
func no(err error) {
	if err != nil {
		panic(err)
	}
}

// Exits unless the condition holds.
func must(holds bool, what any) {
	if !holds {
		panic(fmt.Sprintf("%v", what))
	}
}

func done(step string) { fmt.Println("ok", step) }

// A transport that sends a different Accept header than the generated functions.
type accept struct{ mediaType string }

func (a accept) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.Header.Set("Accept", a.mediaType)
	return http.DefaultTransport.RoundTrip(request)
}

func clientOfSecond(server string, transport http.RoundTripper) *second.APIClient {
	configuration := second.NewConfiguration()
	configuration.Servers = second.ServerConfigurations{{URL: server + "/v2"}}
	configuration.HTTPClient = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	return second.NewAPIClient(configuration)
}

func runSecond(base, future string) {
	client := clientOfSecond(base, nil)
	account := second.NewRegistration(email("go"), password)
	account.SetName("Ada")
	session, _, err := client.AuthAPI.Register(context.Background()).Registration(*account).Execute()
	no(err)
	must(session.User.Role == second.ROLE_USER, session)
	done("v2 register")
	ctx := context.WithValue(context.Background(), second.ContextAccessToken, session.AccessToken)

	for _, name := range names {
		_, response, err := client.BucketlistsAPI.CreateBucketlist(ctx).BucketlistCreate(*second.NewBucketlistCreate(name)).Execute()
		no(err)
		must(response.StatusCode == 201, response)
	}
	found, _, err := client.BucketlistsAPI.ListBucketlists(ctx).Q("zürich").Execute()
	no(err)
	list := found.Data[0].Id
	var item *second.Item
	for _, name := range things {
		create := second.NewItemCreate(name)
		create.SetDueOn("2027-02-01")
		item, _, err = client.ItemsAPI.CreateItem(ctx, list).ItemCreate(*create).Execute()
		no(err)
		must(item.GetDueOn() == "2027-02-01" && !item.Done, item)
	}
	done("v2 create")

	seen, cursor := []string{}, ""
	for more := true; more && len(seen) < 20; {
		page, _, err := client.BucketlistsAPI.ListBucketlists(ctx).Cursor(cursor).PerPage(2).Sort("created_at").Execute()
		no(err)
		for _, each := range page.Data {
			seen = append(seen, each.Name)
		}
		link, err := url.Parse(page.Links.GetNext())
		no(err)
		cursor = link.Query().Get("cursor")
		more = cursor != ""
	}
	must(slices.Equal(seen, names), seen)
	done("v2 pages")

	patch := second.NewItemPatch()
	patch.SetDone(true)
	changed, _, err := client.ItemsAPI.UpdateItem(ctx, list, item.Id).ItemPatch(*patch).Execute()
	no(err)
	must(changed.Done && changed.DoneAt.IsSet(), changed)
	done("v2 change")

	after := time.Date(2025, 1, 1, 0, 0, 0, 123456789, time.FixedZone("", 7200))
	include := []second.BucketlistListInclude{second.BUCKETLISTLISTINCLUDE_TOTAL}
	counted, _, err := client.BucketlistsAPI.ListBucketlists(ctx).CreatedAfter(after).Include(include).Execute()
	no(err)
	must(counted.Meta.GetTotal() == int64(len(names)), counted)
	clearing := second.NewItemPatch()
	clearing.SetDueOnNil()
	cleared, _, err := client.ItemsAPI.UpdateItem(ctx, list, item.Id).ItemPatch(*clearing).Execute()
	no(err)
	must(cleared.DueOn.Get() == nil, cleared)
	exporting := second.NewExportCreate()
	exporting.SetFormat(second.EXPORTFORMAT_CSV)
	export, _, err := client.ExportsAPI.CreateExport(ctx).ExportCreate(*exporting).Execute()
	no(err)
	must(export.Format == second.EXPORTFORMAT_CSV && export.CreatedAt.After(after), export)
	done("v2 values")

	_, response, err := client.BucketlistsAPI.CreateBucketlist(ctx).BucketlistCreate(*second.NewBucketlistCreate("")).Execute()
	var failure *second.GenericOpenAPIError
	must(errors.As(err, &failure) && response.StatusCode == 422, err)
	problem, typed := failure.Model().(second.Problem)
	must(typed && problem.Code == second.ERRORCODE_VALIDATION_FAILED && problem.Errors[0].GetPointer() == "/name", problem)
	done("v2 error")

	next := clientOfSecond(future, nil)
	me, _, err := next.UsersAPI.GetMe(ctx).Execute()
	no(err)
	must(me.Role == second.ROLE_UNKNOWN_DEFAULT_OPEN_API, me)
	page, _, err := next.BucketlistsAPI.ListBucketlists(ctx).Execute()
	no(err)
	must(len(page.Data) == len(names), page)
	_, response, err = next.BucketlistsAPI.GetBucketlist(ctx, 987654).Execute()
	must(errors.As(err, &failure) && response.StatusCode == 404, err)
	problem, typed = failure.Model().(second.Problem)
	must(typed && problem.Code == second.ERRORCODE_UNKNOWN_DEFAULT_OPEN_API, problem)
	done("v2 tolerance")

	// The generated function decodes only JSON, but returns the response with its error.
	_, response, _ = clientOfSecond(base, accept{"text/csv"}).ItemsAPI.ListItems(ctx, list).Execute()
	text, err := io.ReadAll(response.Body)
	no(err)
	rows := strings.Split(strings.TrimRight(string(text), "\r\n"), "\r\n")
	must(len(rows) == 1+len(things) && strings.HasPrefix(rows[0], "id,bucketlist_id,name,"), rows)
	done("v2 csv")
}

func clientOfFirst(server string) *first.APIClient {
	configuration := first.NewConfiguration()
	configuration.Servers = first.ServerConfigurations{{URL: server + "/v1"}}
	return first.NewAPIClient(configuration)
}

func runFirst(base, future string) {
	client := clientOfFirst(base)
	account := first.NewRegistration(email("go1"), password)
	session, _, err := client.AuthAPI.Register(context.Background()).Registration(*account).Execute()
	no(err)
	done("v1 register")
	ctx := context.WithValue(context.Background(), first.ContextAccessToken, session.AccessToken)

	for _, name := range names {
		create := first.NewBucketlistCreate(name)
		create.SetDescription("A place.")
		created, _, err := client.BucketlistsAPI.CreateBucketlist(ctx).BucketlistCreate(*create).Execute()
		no(err)
		must(created.GetDescription() == "A place.", created)
	}
	done("v1 create")

	seen := []string{}
	for number, last := int32(1), int32(1); number <= last; number++ {
		page, _, err := client.BucketlistsAPI.ListBucketlists(ctx).Page(number).PerPage(2).Execute()
		no(err)
		for _, each := range page.Data {
			seen = append(seen, each.Name)
		}
		last = int32(page.Meta.Pages)
	}
	slices.Sort(seen)
	sorted := slices.Sorted(slices.Values(names))
	must(slices.Equal(seen, sorted), seen)
	done("v1 pages")

	_, response, err := client.BucketlistsAPI.CreateBucketlist(ctx).BucketlistCreate(*first.NewBucketlistCreate("")).Execute()
	var failure *first.GenericOpenAPIError
	must(errors.As(err, &failure) && response.StatusCode == 422, err)
	envelope, typed := failure.Model().(first.ErrorEnvelope)
	must(typed && envelope.Error.Code == first.ERRORCODE_VALIDATION_FAILED, envelope)
	must(envelope.Error.Details[0].Field == "/name", envelope)
	done("v1 error")

	me, _, err := clientOfFirst(future).UsersAPI.GetMe(ctx).Execute()
	no(err)
	must(me.Role == first.ROLE_UNKNOWN_DEFAULT_OPEN_API, me)
	done("v1 tolerance")
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: scenario SERVER SERVER_OF_NEXT_YEAR")
		os.Exit(2)
	}
	runSecond(os.Args[1], os.Args[2])
	runFirst(os.Args[1], os.Args[2])
}
